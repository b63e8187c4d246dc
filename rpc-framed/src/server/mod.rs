//! The server's side.
//!
//! | file | what it does |
//! | --- | --- |
//! | `transport.rs` | [`FramedServer`], what a listener hands connections to |
//! | `handshake.rs`, `connection.rs` | the task of one connection |
//! | `lifetime.rs`, `police.rs` | what a connection does besides calls: timers, stop, floods |
//! | `slot.rs`, `calls.rs` | the first poll of a call on the spot; those that wait |
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
mod slot;
mod transport;

pub use self::{config::ServerConfig, transport::FramedServer};
