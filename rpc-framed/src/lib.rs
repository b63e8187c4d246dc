//! The framed transport: a multiplexed protocol of our own, for two of ours.
//!
//! [`FramedTransport`] is the client's side, [`FramedServer`] the server's. A small call is two frames of sixteen bytes and
//! what it carries; `docs/framed.md` has the protocol byte by byte.
//!
//! | part | what it does |
//! | --- | --- |
//! | `wire` | the codings: heads, prefaces, metadata, failures; pure functions |
//! | `io` | what was read, what is to be written, what wakes a connection's task |
//! | `stream` | directions of a call that are more than one frame |
//! | `client`, `server` | connections, and the way of a call over one |
//!
//! # Why not HTTP/2
//! Its headers, windows and settings serve proxies and browsers. Between two of ours they cost several microseconds a call
//! that buy nothing. Whoever is not one of ours is spoken to in gRPC, on the same port.

mod client;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod io;
mod server;
mod stream;
mod wire;

pub use rpc_core::transport::supervise::{Backoff, Connect, Keepalive, LinkConfig};

pub use self::{
    client::{ClientConfig, FramedTransport},
    server::{FramedServer, ServerConfig},
    wire::compress::Compression,
};

/// The word by which instances list it.
const PROTOCOL: &str = "framed";

/// What TLS negotiates for it.
const ALPN: &[u8] = b"rpc-framed/1";

/// How much of a message goes into one frame. A small call waits for one frame of a large one at most.
const MAX_FRAME_BYTES: u32 = 128 << 10;

/// What a frame may have besides a message's piece and metadata: path, codec, and the details of a failure.
const FRAME_SLACK_BYTES: usize = 48 << 10;
