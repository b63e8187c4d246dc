//! etcd's API v3, as far as it is used here. Names of messages and fields, and the fields' numbers, are etcd's.
//!
//! Fields that nobody reads are left out; what etcd sends in them is passed over, as protobuf wants it.

mod auth;
mod kv;
mod lease;
mod watch;

use prost::Message;

pub use self::{
    auth::{AuthenticateRequest, AuthenticateResponse},
    kv::{
        CompactionRequest, CompactionResponse, Compare, CompareTarget, DeleteRangeRequest,
        DeleteRangeResponse, KeyValue, PutRequest, PutResponse, RangeRequest, RangeResponse, RequestOp,
        RequestOpKind, TxnRequest, TxnResponse,
    },
    lease::{
        LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse,
        LeaseRevokeRequest, LeaseRevokeResponse,
    },
    watch::{
        Event, EventType, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchRequestKind,
        WatchResponse,
    },
};
use rpc_core::{Request, Result, Streaming};

/// What each answer begins with.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ResponseHeader {
    /// The cluster that answered.
    #[prost(uint64, tag = "1")]
    pub cluster_id: u64,
    /// The store's revision when it answered.
    #[prost(int64, tag = "3")]
    pub revision: i64,
}

/// Keys and values.
#[rpc_codegen::service(package = "etcdserverpb", codecs = [Prost], crate = rpc_core)]
pub trait KV {
    /// Reads keys.
    async fn range(&self, request: Request<RangeRequest>) -> Result<RangeResponse>;
    /// Writes a key.
    async fn put(&self, request: Request<PutRequest>) -> Result<PutResponse>;
    /// Deletes keys.
    async fn delete_range(&self, request: Request<DeleteRangeRequest>) -> Result<DeleteRangeResponse>;
    /// Writes keys if they are as expected.
    async fn txn(&self, request: Request<TxnRequest>) -> Result<TxnResponse>;
    /// Forgets the history before a revision.
    async fn compact(&self, request: Request<CompactionRequest>) -> Result<CompactionResponse>;
}

/// Changes of keys.
#[rpc_codegen::service(package = "etcdserverpb", codecs = [Prost], crate = rpc_core)]
pub trait Watch {
    /// Any number of watches over one stream; one is used here.
    async fn watch(&self, requests: Request<Streaming<WatchRequest>>) -> Result<Streaming<WatchResponse>>;
}

/// Leases.
#[rpc_codegen::service(package = "etcdserverpb", codecs = [Prost], crate = rpc_core)]
pub trait Lease {
    /// A new lease.
    async fn lease_grant(&self, request: Request<LeaseGrantRequest>) -> Result<LeaseGrantResponse>;
    /// Ends a lease, and with it the keys that hang on it.
    async fn lease_revoke(&self, request: Request<LeaseRevokeRequest>) -> Result<LeaseRevokeResponse>;
    /// Renews leases, one answer a request.
    async fn lease_keep_alive(
        &self,
        requests: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Streaming<LeaseKeepAliveResponse>>;
}

/// Users.
#[rpc_codegen::service(package = "etcdserverpb", codecs = [Prost], crate = rpc_core)]
pub trait Auth {
    /// A token for a name and a password.
    async fn authenticate(&self, request: Request<AuthenticateRequest>) -> Result<AuthenticateResponse>;
}
