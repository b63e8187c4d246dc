//! The gRPC transport: calls over HTTP/2, on the h2 crate.
//!
//! [`GrpcTransport`] is the client's side, [`GrpcServer`] the server's. Both turn what rpc-core knows of a call into HTTP at
//! the last moment, and back at the first, and speak to any gRPC peer.
//!
//! | part | what it does |
//! | --- | --- |
//! | `wire` | the codings: headers, frames, statuses; pure functions |
//! | `body` | messages that arrive on a stream, and messages that leave on one |
//! | `client`, `server` | connections, and the way of a call over one |
//! | `io` | gathers what h2 writes |
//! | `http1` | tells a peer that speaks HTTP/1.1 what is spoken here |
//!
//! # Why not hyper, or tonic
//! hyper hides what gRPC needs to know: whether a stream was refused before it was begun, when a peer goes away, why one was
//! reset; and it crosses tasks where h2 alone does not. tonic stands on hyper. On h2 alone a small call costs less than half.

mod body;
mod client;
mod http1;
mod io;
mod server;
mod wire;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;

pub use rpc_core::transport::supervise::{Backoff, Connect, Keepalive, LinkConfig, Spread};

pub use self::{
    client::{ClientConfig, GrpcTransport},
    http1::Http1Refusal,
    server::{GrpcServer, HttpBody, HttpService, ServerConfig},
    wire::compress::Compression,
};
