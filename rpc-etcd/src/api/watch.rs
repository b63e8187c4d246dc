//! Changes of keys.

use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};

use super::{KeyValue, ResponseHeader};

/// One of the things that can be asked on a stream of watches.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WatchRequest {
    /// Which one.
    #[prost(oneof = "WatchRequestKind", tags = "1, 3")]
    pub request: Option<WatchRequestKind>,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum WatchRequestKind {
    /// Begin a watch.
    #[prost(message, tag = "1")]
    Create(WatchCreateRequest),
    /// Say how far you are.
    #[prost(message, tag = "3")]
    Progress(WatchProgressRequest),
}

/// Begins a watch; the range is meant as in [`RangeRequest`](super::RangeRequest).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WatchCreateRequest {
    /// The first key.
    #[prost(bytes = "bytes", tag = "1")]
    pub key: Bytes,
    /// The key after the last one.
    #[prost(bytes = "bytes", tag = "2")]
    pub range_end: Bytes,
    /// The first revision to tell of; 0 is the next one.
    #[prost(int64, tag = "3")]
    pub start_revision: i64,
    /// Say now and then how far you are, when nothing changes.
    #[prost(bool, tag = "4")]
    pub progress_notify: bool,
    /// Split answers that would be too large for one message.
    #[prost(bool, tag = "8")]
    pub fragment: bool,
}

/// Asks how far the watches of the stream are.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct WatchProgressRequest {}

/// What a stream of watches tells.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct WatchResponse {
    /// Who answered, and at which revision.
    #[prost(message, optional, tag = "1")]
    pub header: Option<ResponseHeader>,
    /// Which watch; -1 in the answer to a progress request.
    #[prost(int64, tag = "2")]
    pub watch_id: i64,
    /// The watch has begun.
    #[prost(bool, tag = "3")]
    pub created: bool,
    /// The watch has ended.
    #[prost(bool, tag = "4")]
    pub canceled: bool,
    /// The history that the watch wanted is gone up to here; 0 if it is not.
    #[prost(int64, tag = "5")]
    pub compact_revision: i64,
    /// Why the watch has ended.
    #[prost(string, tag = "6")]
    pub cancel_reason: String,
    /// The rest follows in the next message.
    #[prost(bool, tag = "7")]
    pub fragment: bool,
    /// What changed, in order.
    #[prost(message, repeated, tag = "11")]
    pub events: Vec<Event>,
}

/// A change of a key.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Event {
    /// Written or deleted.
    #[prost(enumeration = "EventType", tag = "1")]
    pub r#type: i32,
    /// The key; its value too, if it was written.
    #[prost(message, optional, tag = "2")]
    pub kv: Option<KeyValue>,
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum EventType {
    /// It was written.
    Put = 0,
    /// It was deleted, or its lease ended.
    Delete = 1,
}
