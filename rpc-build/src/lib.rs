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
//! pub mod shop {
//!     include!(concat!(env!("OUT_DIR"), "/shop.v1.rs"));
//! }
//! ```
//!
//! Each `service` becomes a trait with `#[rpc::service]`, its methods in the order of the file and with its comments;
//! `option idempotency_level` becomes `idempotent`. Messages are prost's. Each package with a service also gets
//! `FILE_DESCRIPTOR_SET`, the encoded `google.protobuf.FileDescriptorSet` of its files and their imports, which the
//! service's descriptor carries for reflection. The generated code needs the crate `rpc` and nothing else.

mod config;
mod error;
mod service;

pub use self::{config::Config, error::Error};
