//! The server's side of gRPC, on the h2 crate.
//!
//! # Why h2 itself
//! hyper spawns a task per stream and hands bodies through channels; an answer then crosses tasks twice. Here the task that
//! reads a request runs its handler, and writes what it answered with the next batch.
//!
//! | file | what it does |
//! | --- | --- |
//! | `transport.rs` | [`GrpcServer`], what a listener hands connections to |
//! | `handshake.rs`, `connection/` | the task of one connection |
//! | `lifetime.rs`, `police.rs` | what a connection does besides calls: keepalive, idleness, age; pings |
//! | `running.rs` | the calls that wait |
//! | `admit.rs`, `refusal.rs` | from an HTTP request to a call, or why not |
//! | `exchange.rs` | one call, from its request to its trailers |
//! | `face/` | the same behind layers of HTTP |
//!
//! # What is deliberately absent
//! A queue between reading and running; a timer per call; a lock of ours on the way of a call.

mod admit;
mod config;
mod conn;
mod connection;
mod exchange;
mod face;
mod handshake;
mod lifetime;
mod police;
mod refusal;
mod running;
mod transport;

pub use self::{
    config::ServerConfig,
    face::{HttpBody, HttpService},
    transport::GrpcServer,
};
