//! Servers: services, layers, listeners, and how they stop.
//!
//! ```no_run
//! # async fn doc(inventory: impl rpc::server::Service) -> Result<(), Box<dyn std::error::Error>> {
//! use rpc::Server;
//!
//! let server = Server::builder().add_service(inventory).build()?;
//! // Until SIGTERM or SIGINT.
//! server.serve("0.0.0.0:50051").await?;
//! # Ok(()) }
//! ```
//!
//! # Two places for layers
//! [`layer`](ServerBuilder::layer) puts a `tower::Layer` around the **call**, whatever transport it came over: it sees
//! method, context, metadata and body. `http_layer` puts one around the **HTTP request** of the gRPC transport, where those
//! of tower-http fit; calls over other transports and from this process pass it by, so it is no place for checks that
//! matter.
//!
//! # Stop
#![doc = include_str!("stop.md")]

mod addresses;
mod advertise;
mod announce;
mod announcements;
mod builder;
mod built_in;
mod error;
#[cfg(feature = "framed")]
mod framed;
#[cfg(feature = "grpc")]
mod grpc;
mod handle;
mod health;
mod serve;
mod shutdown;
mod signals;
mod stack;

pub use self::{
    addresses::IntoAddresses,
    announcements::{Announcement, Announcements},
    builder::ServerBuilder,
    error::ServeError,
    handle::ServerHandle,
    health::{HealthReporter, ServingStatus},
    serve::{Bound, Server},
};
/// What generated servers are made of, and what a server's pipeline ends in.
pub use rpc_core::server::{Dispatch, Router, Service, bidi, client_streaming, server_streaming, unary};
pub use rpc_governance::server::load::{LoadReporter, LoadReporterConfig};
