//! An embeddable RPC framework: annotate a trait, and its implementation is a service, its stub a client.
//!
//! ```
//! use rpc::prelude::*;
//!
//! #[rpc::service(package = "shop.v1")]
//! pub trait Inventory {
//!     /// Units of an article in stock.
//!     #[rpc(idempotent, timeout = "200ms")]
//!     async fn stock(&self, sku: String) -> Result<u32>;
//!
//!     /// The stock, each time it changes.
//!     async fn watch(&self, sku: String) -> Result<Streaming<u32>>;
//! }
//!
//! struct Shelf;
//!
//! impl Inventory for Shelf {
//!     async fn stock(&self, sku: String) -> Result<u32> {
//!         if sku == "4711" { Ok(3) } else { Err(Status::not_found(format!("no article `{sku}`"))) }
//!     }
//!
//!     async fn watch(&self, _: String) -> Result<Streaming<u32>> {
//!         Ok(Streaming::from_iter([3, 2, 1]))
//!     }
//! }
//!
//! /// Business code does not know where the inventory is.
//! async fn is_there(inventory: &impl Inventory, sku: &str) -> Result<bool> {
//!     Ok(inventory.stock(sku.to_owned()).await? > 0)
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let server = Server::builder().add_service(InventoryServer::new(Shelf)).build()?.bind("127.0.0.1:0").await?;
//!     let (address, stop) = (server.local_addresses()[0].clone(), server.handle());
//!     let serving = tokio::spawn(server.serve());
//!
//!     let client = Client::builder().target(format!("static://{address}")).build()?;
//!     let inventory = InventoryClient::new(&client);
//!     assert!(is_there(&inventory, "4711").await?);
//!     assert_eq!(inventory.stock("4712".to_owned()).await.unwrap_err().code(), Code::NotFound);
//!
//!     let mut stock = inventory.watch("4711".to_owned()).await?;
//!     while let Some(left) = stock.message().await? {
//!         println!("{left} left");
//!     }
//!
//!     // The same code, without a network between.
//!     assert!(is_there(&Shelf, "4711").await?);
//!
//!     stop.shutdown();
//!     serving.await??;
//!     Ok(())
//! }
//! ```
//!
//! | | |
//! | --- | --- |
//! | [`macro@service`] | the attribute: what it takes and what it makes |
//! | [`client`] | targets, deadlines, layers around calls |
//! | [`server`] | listeners, registration, graceful stop |
//! | [`Status`], [`status`] | how a call failed, and what may be done about it |
//! | [`Context`], [`context`] | what an inbound call hands to those it causes |
//! | [`codec`] | how messages are written |
//! | [`registry`] | where instances are announced and found |
//! | [`blocking`] | for callers without a runtime |
//!
//! # Features
//! Each one adds; none changes what another does.
//!
//! | feature | default | |
//! | --- | --- | --- |
//! | `grpc` | yes | gRPC over HTTP/2, client and server |
//! | `framed` | yes | our own protocol between two of ours, on the same port |
//! | `msgpack`, `json` | yes | the codecs that services have by themselves |
//! | `prost` | yes | protobuf; and with it the health service of servers, the watch of it by clients, and streams of load reports |
//! | `postcard`, `bincode` | | for peers that are built together |
//! | `gzip` | yes | compressed messages |
//! | `zstd` | | compressed messages |
//! | `file` | | targets `file:`: instances from a YAML or JSON file |
//! | `dns` | | targets `dns:` and `dns+srv:` |
//! | `tls` | | TLS by rustls |
//! | `etcd` | | `etcd://` targets: instances in etcd |

pub mod client;
mod host;
mod local;
pub mod prelude;
mod schemes;
pub mod server;

pub use rpc_codegen::{ServiceError, service};
pub use rpc_core::{
    BoxError, BoxFuture, BuildError, Call, CallFuture, CallOptions, Channel, Code, Context, Deadline,
    Extensions, Metadata, Method, MethodDescriptor, OwnedCall, Reply, Request, Response, Result,
    ServiceDescriptor, Shape, Stage, Status, Streaming, blocking, call, codec, context, error, executor,
    load, matcher, message, metadata, method, net, stage, status, transport,
};
#[cfg(feature = "framed")]
pub use rpc_framed as framed;
pub use rpc_governance as governance;
#[cfg(feature = "grpc")]
pub use rpc_grpc as grpc;
pub use rpc_lb as lb;
pub use rpc_registry::{self as registry, Instance, InstanceHandle, MemoryRegistry, Target};

/// Lanes: which one a request travels in, and where it goes then.
pub mod lanes {
    pub use rpc_core::context::{InvalidLane, Lane};
    pub use rpc_governance::lane::{AcceptedLanes, LaneHook, LaneRule, LaneRules};
    pub use rpc_lb::route::lane::{Fallback, InvalidLaneRule, LaneFallbacks, LaneRouter};
}

pub use self::{
    client::{Client, ClientBuilder},
    local::LocalServers,
    schemes::built_in_schemes,
    server::{Server, ServerBuilder, ServerHandle},
};

/// What generated code needs; no part of the public API.
#[doc(hidden)]
pub use rpc_core::__private;

/// Starts a task that carries the current context on: see [`context::spawn`].
pub use rpc_core::context::spawn;

// Code that comes from `.proto` files finds its messages' library here, so that a user depends on `rpc` alone.
#[cfg(feature = "prost")]
pub use {prost, prost_types};

/// The guide, page by page, so that its examples are compiled.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/services.md")]
    mod services {}
    #[doc = include_str!("../docs/errors.md")]
    mod errors {}
    #[doc = include_str!("../docs/streaming.md")]
    mod streaming {}
    #[doc = include_str!("../docs/clients.md")]
    mod clients {}
    #[doc = include_str!("../docs/discovery.md")]
    mod discovery {}
    #[doc = include_str!("../docs/health.md")]
    mod health {}
    #[doc = include_str!("../docs/balancing.md")]
    mod balancing {}
    #[doc = include_str!("../docs/lanes.md")]
    mod lanes {}
    #[doc = include_str!("../docs/routing.md")]
    mod routing {}
    #[doc = include_str!("../docs/matching.md")]
    mod matching {}
    #[doc = include_str!("../docs/servers.md")]
    mod servers {}
    #[doc = include_str!("../docs/load-reports.md")]
    mod load_reports {}
    #[cfg(feature = "etcd")]
    #[doc = include_str!("../docs/etcd.md")]
    mod etcd {}
    #[doc = include_str!("../docs/wire.md")]
    mod wire {}
    #[doc = include_str!("../docs/framed.md")]
    mod framed {}
}
