//! Client and server together, over the public API.

mod client;
mod discovery;
mod guide;
mod hops;
mod lanes;
mod server;
