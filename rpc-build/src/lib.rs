//! From `.proto` files to messages and annotated traits, for build scripts. No `protoc` is needed.
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), rpc_build::Error> {
//!     rpc_build::Config::new().include("proto").compile(["proto/shop/v1/inventory.proto"])
//! }
//! ```
//!
//! ```text
//! // src/main.rs
//! pub mod proto {
//!     include!(concat!(env!("OUT_DIR"), "/mod.rs"));
//! }
//!
//! use proto::shop::v1::{Inventory, InventoryClient};
//! ```
//!
//! `mod.rs` has all packages, each in the modules that its name says, which is how generated code finds the messages of another
//! one. A package that uses only its own messages and those of `google.protobuf` can also be included by itself: `shop.v1.rs`.
//!
//! Each `service` becomes a trait with `#[rpc::service]`, its methods in the order of the file and with its comments;
//! `option idempotency_level` becomes `idempotent`. Messages are prost's. Each package with a service also gets
//! `FILE_DESCRIPTOR_SET`, the encoded `google.protobuf.FileDescriptorSet` of its files and their imports, which the
//! service's descriptor carries. A server offers no reflection by itself: the set is for one of your own, and `grpcurl` is
//! told of the files, by `-proto` or `-protoset`. The generated code needs the crate `rpc` and nothing else.

mod config;
mod error;
mod includes;
mod service;
mod style;

pub use self::{config::Config, error::Error};
