//! Leases: keys that hang on one are deleted when it ends.

use prost::Message;

use super::ResponseHeader;

/// Asks for a lease.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LeaseGrantRequest {
    /// How long it lasts without renewal, in seconds.
    #[prost(int64, tag = "1")]
    pub ttl: i64,
}

/// A lease.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LeaseGrantResponse {
    /// Who answered.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Its number.
    #[prost(int64, tag = "2")]
    pub id: i64,
    /// How long it really lasts, in seconds: etcd has a minimum.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
}

/// Ends a lease.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LeaseRevokeRequest {
    /// Its number.
    #[prost(int64, tag = "1")]
    pub id: i64,
}

/// A lease was ended.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LeaseRevokeResponse {
    /// Who answered.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
}

/// Renews a lease.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LeaseKeepAliveRequest {
    /// Its number.
    #[prost(int64, tag = "1")]
    pub id: i64,
}

/// A lease was renewed, or was not there.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LeaseKeepAliveResponse {
    /// Who answered.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Its number.
    #[prost(int64, tag = "2")]
    pub id: i64,
    /// How long it lasts from now, in seconds; 0 or less if there is no such lease.
    #[prost(int64, tag = "3")]
    pub ttl: i64,
}
