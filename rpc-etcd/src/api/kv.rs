//! Keys and values.

use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};

use super::ResponseHeader;

/// A key with its value.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeyValue {
    /// The key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The revision of its last change.
    #[prost(int64, tag = "3")]
    pub mod_revision: i64,
    /// The value.
    #[prost(bytes = "bytes", tag = "5")]
    pub value: Bytes,
    /// The lease that it hangs on; 0 is none.
    #[prost(int64, tag = "6")]
    pub lease: i64,
}

/// Asks for the keys from `key` up to, but not including, `range_end`; without `range_end` for `key` alone.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RangeRequest {
    /// The first key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The key after the last one.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// The most keys to answer with; 0 is all.
    #[prost(int64, tag = "3")]
    pub limit: i64,
    /// As they were at this revision; 0 is now.
    #[prost(int64, tag = "4")]
    pub revision: i64,
}

/// Keys with their values, in the order of the keys.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RangeResponse {
    /// Who answered, and at which revision.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// The keys.
    #[prost(message, repeated, tag = "2")]
    pub kvs: Vec<KeyValue>,
    /// There are more than the limit allowed.
    #[prost(bool, tag = "3")]
    pub more: bool,
}

/// Writes a key.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PutRequest {
    /// The key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// Its new value.
    #[prost(bytes = "bytes", tag = "2")]
    pub value: Bytes,
    /// The lease that it hangs on from now on; 0 is none.
    #[prost(int64, tag = "3")]
    pub lease: i64,
    /// Leave the key on the lease that it hangs on already.
    #[prost(bool, tag = "6")]
    pub ignore_lease: bool,
}

/// A key was written.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PutResponse {
    /// Who answered, and at which revision.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
}

/// Deletes keys; the range is meant as in [`RangeRequest`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeleteRangeRequest {
    /// The first key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The key after the last one.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
}

/// Keys were deleted.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DeleteRangeResponse {
    /// Who answered, and at which revision.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// How many there were.
    #[prost(int64, tag = "2")]
    pub deleted: i64,
}

/// Forgets what was before a revision.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CompactionRequest {
    /// The first revision that is kept.
    #[prost(int64, tag = "1")]
    pub revision: i64,
    /// Answer only when it is done on disk.
    #[prost(bool, tag = "2")]
    pub physical: bool,
}

/// History was forgotten.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CompactionResponse {
    /// Who answered, and at which revision.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
}

/// Does something if something is the case, else something else, all at once.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TxnRequest {
    /// What must all be the case.
    #[prost(message, repeated, tag = "1")]
    pub compare: Vec<Compare>,
    /// What is done then.
    #[prost(message, repeated, tag = "2")]
    pub success: Vec<RequestOp>,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TxnResponse {
    /// Who answered, and at which revision.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Everything was the case.
    #[prost(bool, tag = "2")]
    pub succeeded: bool,
}

/// Something that is the case or not: here, that a key was last changed at a revision, or hangs on a lease.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Compare {
    /// How the two are compared: 0 is "equal".
    #[prost(int32, tag = "1")]
    pub result: i32,
    /// What of the key is compared.
    #[prost(enumeration = "CompareTarget", tag = "2")]
    pub target: i32,
    /// The key.
    #[prost(bytes = "bytes", tag = "3")]
    pub key: Bytes,
    /// With which revision, if that is compared.
    #[prost(int64, tag = "6")]
    pub mod_revision: i64,
    /// With which lease, if that is compared.
    #[prost(int64, tag = "8")]
    pub lease: i64,
}

/// What of a key is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum CompareTarget {
    /// How often it was written.
    Version = 0,
    /// The revision of its last change.
    Mod = 2,
    /// The lease that it hangs on.
    Lease = 4,
}

/// One thing that a transaction does.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RequestOp {
    /// Which one.
    #[prost(oneof = "RequestOpKind", tags = "2, 3")]
    pub request: Option<RequestOpKind>,
}

/// What a transaction does.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum RequestOpKind {
    /// Write a key.
    #[prost(message, tag = "2")]
    Put(PutRequest),
    /// Delete keys.
    #[prost(message, tag = "3")]
    DeleteRange(DeleteRangeRequest),
}
