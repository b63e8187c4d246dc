//! Ours and its peers, behind one trait without boxes: what a subject costs is all its own.

mod rpc_grpc;
mod rpc_local;
mod service;
mod tonic;

use bytes::Bytes;

pub(crate) use self::{rpc_grpc::RpcGrpc, rpc_local::RpcLocal, tonic::Tonic};
use crate::shape::Runtimes;

/// One side of a comparison: a server, and a client with one connection to it.
pub(crate) trait Subject: Sized + 'static {
    /// As it is called in tables and in JSON.
    const NAME: &'static str;
    /// True if nothing goes over a socket.
    const IN_PROCESS: bool = false;

    /// What a task calls through; clones share the connection.
    type Caller: Caller;

    /// Starts the server and connects to it.
    fn start(runtimes: &Runtimes) -> Self;

    fn caller(&self) -> Self::Caller;
}

/// Makes calls.
pub(crate) trait Caller: Clone + Send + 'static {
    /// Sends bytes and gets them back.
    fn unary(&mut self, body: Bytes) -> impl Future<Output = Bytes> + Send;

    /// Sends bytes and gets them back [`STREAM_LEN`] times; answers how many came.
    fn stream(&mut self, body: Bytes) -> impl Future<Output = usize> + Send;
}

/// How many messages a stream has.
pub(crate) const STREAM_LEN: usize = 64;
