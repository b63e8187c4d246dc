//! The server's side.
//!
//! | file | what it does |
//! | --- | --- |
//! | `transport.rs` | [`FramedServer`], what a listener hands connections to |
//! | `handshake.rs`, `connection/` | the task of one connection |
//! | `lifetime.rs`, `police.rs` | what a connection does besides calls: keepalive, idleness, age; floods |
//! | `watch.rs`, `calls.rs` | the calls that wait |
//! | `accept.rs`, `exchange.rs` | from a REQUEST to a call, and from there to its answer |
//!
//! # What is deliberately absent
//! A queue between reading and running; a timer per call; a lock that calls of different connections share.

mod accept;
mod calls;
mod config;
mod conn;
mod connection;
mod exchange;
mod handshake;
mod lifetime;
mod pace;
mod police;
mod transport;
mod watch;

pub use self::{config::ServerConfig, transport::FramedServer};
