//! gRPC's interoperability tests: what the programs `interop_server` and `interop_client` share.
//!
//! The service and the cases are those that every gRPC implementation has; run against another one they show that both
//! speak the same protocol.

pub mod cases;
pub mod flags;
pub mod service;

/// Messages and traits of `grpc.testing`.
#[allow(missing_docs, clippy::pedantic, reason = "generated from public definitions")]
pub mod testing {
    include!(concat!(env!("OUT_DIR"), "/grpc.testing.rs"));
}

/// Metadata that the server sends back in its headers.
pub const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";
/// Metadata that the server sends back in its trailers.
pub const ECHO_TRAILING: &str = "x-grpc-test-echo-trailing-bin";

/// A payload of zeros.
pub fn payload(size: usize) -> testing::Payload {
    testing::Payload {
        r#type: testing::PayloadType::Compressable.into(),
        body: vec![0; size],
    }
}
