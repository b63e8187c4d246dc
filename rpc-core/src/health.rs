//! The messages and methods of `grpc/health/v1/health.proto`: what a server answers and what a client watches.
//!
//! People report and read health in the facade's own words; this is what goes over the wire.

use std::collections::HashMap;

use crate::{
    MethodDescriptor, ServiceDescriptor, Shape,
    codec::{Codec, MessageCodec, MethodTypes, Prost},
};

/// Asks for the health of a service; the empty name is the server as a whole.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub struct CheckRequest {
    /// The service's full name.
    #[prost(string, tag = "1")]
    pub service: String,
}

/// The health of a service.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct CheckResponse {
    /// A [`WireStatus`].
    #[prost(enumeration = "WireStatus", tag = "1")]
    pub status: i32,
}

/// Asks for the health of all services.
#[derive(Clone, Copy, PartialEq, Eq, Hash, prost::Message)]
pub struct ListRequest {}

/// The health of all services.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListResponse {
    /// By name.
    #[prost(map = "string, message", tag = "1")]
    pub statuses: HashMap<String, CheckResponse>,
}

/// How a service is. The field's name for it is `ServingStatus`, which is the facade's type as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum WireStatus {
    /// It does not say.
    Unknown = 0,
    /// Calls should be sent to it.
    Serving = 1,
    /// They should not.
    NotServing = 2,
    /// The server does not know the service; only watches say so.
    ServiceUnknown = 3,
}

impl From<WireStatus> for CheckResponse {
    fn from(status: WireStatus) -> Self {
        Self {
            status: status.into(),
        }
    }
}

const CODECS: &[&str] = &[<Prost as Codec>::NAME];

static METHODS: [MethodDescriptor; 3] = [
    MethodDescriptor::new("/grpc.health.v1.Health/Check", Shape::Unary)
        .idempotent()
        .codecs(CODECS),
    MethodDescriptor::new("/grpc.health.v1.Health/Watch", Shape::ServerStreaming)
        .idempotent()
        .codecs(CODECS),
    MethodDescriptor::new("/grpc.health.v1.Health/List", Shape::Unary)
        .idempotent()
        .codecs(CODECS),
];

/// The service, with [`CHECK`], [`WATCH`] and [`LIST`] in this order.
pub static HEALTH: ServiceDescriptor = ServiceDescriptor::new("grpc.health.v1.Health", &METHODS);

static REQUEST: [MessageCodec<CheckRequest>; 1] = [MessageCodec::of::<Prost>()];
static RESPONSE: [MessageCodec<CheckResponse>; 1] = [MessageCodec::of::<Prost>()];

/// The health of a service, now. `NOT_FOUND` if it is not known.
pub static CHECK: MethodTypes<CheckRequest, CheckResponse> =
    MethodTypes::new(&METHODS[0], &REQUEST, &RESPONSE);

/// The health of a service, now and at each change.
pub static WATCH: MethodTypes<CheckRequest, CheckResponse> =
    MethodTypes::new(&METHODS[1], &REQUEST, &RESPONSE);

/// The health of all services, now.
pub static LIST: MethodTypes<ListRequest, ListResponse> = MethodTypes::new(
    &METHODS[2],
    &[MessageCodec::of::<Prost>()],
    &[MessageCodec::of::<Prost>()],
);
