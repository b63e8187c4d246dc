//! A small client of etcd's v3 API.
//!
//! It has what a registry needs, and no more: read and write keys, watch a prefix, keep leases, log in.
//! It runs on this project's own gRPC transport.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`api`] | etcd's messages and services, as far as they are used |
//! | [`client`] | [`Etcd`]: one function for each thing that is asked |
//! | [`config`] | endpoints, time limits, credentials, TLS |
//! | [`watch`] | [`Watcher`]: what changes below a prefix |
//! | [`error`] | what a failed call means to whoever keeps a lease or a watch |
//!
//! # Why not the crate `etcd-client`
//! It compiles etcd's `.proto` files with `protoc`, which a user would have to install, and its streams do not heal: after a
//! restart of etcd a watch and a keep-alive stay broken until somebody notices. What is needed of etcd's API is a dozen
//! messages, written down in [`api`] with prost's derive; there is no code generation at build time at all.
//!
//! # Why a crate of its own
//! `rpc-registry` announces and watches instances in etcd, as one of several registries, and knows no transport. So the client
//! stands below it, and above `rpc-grpc` only.
//!
//! # What it leaves to others
//! It does not pause and try again: callers do, and know how long. Two things it does by itself, since nobody above could:
//! a call that certainly was not begun goes to the next endpoint at once, and a call that was refused for its token logs in
//! again, once.

pub mod api;
mod auth;
pub mod client;
pub mod config;
mod endpoints;
pub mod error;
pub mod watch;

pub use self::{
    client::{Entry, Etcd, Granted, Listing},
    config::{EtcdConfig, Password},
    error::{Meaning, meaning},
    watch::{Change, Changes, Position, Watcher},
};
