//! Load reports: how busy a server says that it is.
//!
//! The format is ORCA's (Open Request Cost Aggregation): a message `xds.data.orca.v3.OrcaLoadReport`, which travels in the
//! trailer [`TRAILER`] of an answer, or over a stream of its own ([`wire`]). gRPC, Envoy and xDS control planes read and
//! write the same bytes; gRPC's proposal A58 is a balancer that uses them.
//!
//! A [`LoadReport`] never holds a number that is no load: NaN, infinity and negative values are refused when they are set
//! and when they arrive. Whoever keeps the last report of a peer can compare the bytes of a trailer with those it decoded
//! last, and decode again only when they differ: a server renews its report once in an interval, not once a call.
//!
//! The text forms of the trailer that Envoy reads as well (`endpoint-load-metrics: JSON ...`, `TEXT ...`) are neither read
//! nor written: every gRPC library sends the binary one.

mod error;
mod report;
pub mod wire;

pub use self::{error::InvalidLoad, report::LoadReport};

/// The key of the trailer that carries a report: an encoded `OrcaLoadReport`.
pub const TRAILER: &str = "endpoint-load-metrics-bin";

/// The named metric for the calls that a server is working on, as our servers report it.
pub const IN_FLIGHT: &str = "rpc.in_flight";

/// The named metric for the CPUs that a server may use, fractions included, as our servers report it.
pub const CORES: &str = "rpc.cores";
