//! The call: what a stub makes, what a transport carries, what a server answers.
//!
//! This crate has the words of one call and no policy: [`Call`] and [`Reply`] flow through [`Stage`]s, from a stub
//! through a client's pipeline into a transport, and on the other side from a transport through a server's pipeline
//! into the [`server::Router`]. Both directions use the same types, so the in-process transport is a function call.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`method`] | static and shared descriptors of services and methods |
//! | [`message`] | the body of a call: typed, encoded or a stream; `Request`, `Response`, `Streaming` |
//! | [`metadata`] | the headers and trailers of a call |
//! | [`status`] | how a call failed: code, reason, details, facts |
//! | [`context`] | what an inbound call hands to the calls it causes |
//! | [`matcher`] | which calls a rule means |
//! | [`codec`] | message to bytes and back |
//! | [`compress`] | compression of single messages, for transports |
//! | [`stage`] | one step of a pipeline, and its tower face |
//! | [`client`] | what the lines of a generated stub call |
//! | [`server`] | what the lines of a generated server call, and the router |
//! | `health` | the messages of gRPC's health service, with the feature `prost` |
//! | [`load`] | how busy a server says that it is: ORCA load reports |
//! | [`transport`] | the traits that a transport implements, and the in-process one |
//! | [`net`] | addresses, dialling, listening, TLS: shared by the transports that use sockets |
//!
//! Users depend on the facade crate `rpc`, which re-exports all of this.

pub mod blocking;
pub mod call;
pub mod client;
pub mod codec;
pub mod compress;
pub mod context;
pub mod error;
pub mod executor;
mod future;
#[cfg(feature = "prost")]
pub mod health;
pub mod load;
pub mod matcher;
pub mod message;
pub mod metadata;
pub mod method;
pub mod net;
mod private;
pub mod server;
pub mod stage;
pub mod status;
pub mod transport;

/// What generated code needs; no part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::private::*;
}

pub use self::{
    call::{Call, CallOptions, Extensions, KeptCall, Options, OwnedCall, Reply},
    client::Channel,
    context::{Context, Deadline},
    error::{BoxError, BuildError},
    future::CallFuture,
    message::{Body, Request, Response, Streaming},
    metadata::Metadata,
    method::{Method, MethodDescriptor, ServiceDescriptor, Shape},
    stage::{ErasedStage, Stage},
    status::{Code, Status},
};

/// What a method returns: a value, or the [`Status`] that says how the call failed.
pub type Result<T, E = Status> = std::result::Result<T, E>;

/// A future behind one allocation, as it crosses an erased edge.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
