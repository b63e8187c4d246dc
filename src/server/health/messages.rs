//! The messages of `grpc/health/v1/health.proto`.

use std::collections::HashMap;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckRequest {
    #[prost(string, tag = "1")]
    pub(super) service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CheckResponse {
    #[prost(enumeration = "WireStatus", tag = "1")]
    pub(super) status: i32,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct ListRequest {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ListResponse {
    #[prost(map = "string, message", tag = "1")]
    pub(super) statuses: HashMap<String, CheckResponse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(super) enum WireStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

impl From<WireStatus> for CheckResponse {
    fn from(status: WireStatus) -> Self {
        Self {
            status: status.into(),
        }
    }
}
