//! Client and server together, over the public API.

mod client;
mod hops;
mod server;
