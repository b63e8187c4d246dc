//! Ours and its peers, behind one trait without boxes: what a subject costs is all its own.

mod blocking;
mod layered;
mod raw;
mod rpc_framed;
mod rpc_grpc;
mod rpc_local;
pub(crate) mod service;
mod tonic;

use bytes::Bytes;

use self::{blocking::Blocking, raw::Raw, rpc_grpc::RpcGrpcOne, tonic::Tonic};
pub(crate) use self::{layered::Frame, rpc_framed::RpcFramed, rpc_grpc::RpcGrpc, rpc_local::RpcLocal};
use crate::{cell::Cell, peer::Peer};

/// Every subject of this library.
pub fn all() -> Vec<Peer> {
    let mut peers = over_sockets();
    peers.extend([
        Peer::with_sockets::<RpcGrpcOne>(),
        Peer::new::<RpcLocal>(),
        Peer::new::<Blocking>(),
    ]);
    peers.extend(layered::all());
    peers
}

/// Those that others can be compared with over sockets, many calls at once.
pub fn over_sockets() -> Vec<Peer> {
    vec![
        Peer::with_sockets::<RpcFramed>(),
        Peer::with_sockets::<RpcGrpc>(),
        Peer::with_sockets::<Tonic>(),
        Peer::with_sockets::<Raw>(),
    ]
}

/// One side of a comparison: a server, and a client that connects to it.
pub trait Subject: Sized + Send + 'static {
    /// As it is called in tables and in JSON.
    const NAME: &'static str;

    /// How many calls a task makes between two looks at the clock; their latency is their mean. What stays in the process
    /// takes no longer than the looking does.
    const AT_ONCE: u32 = 1;

    /// Where the server is: a socket's address, or for what stays in the process the server itself.
    type Address: Clone + Send + 'static;

    /// What a task calls through; clones share what is connected.
    type Caller: Caller;

    /// Whether it is measured in this cell. A subject may lack a scenario, or have nothing to show in a cell.
    fn takes(cell: &Cell) -> bool;

    /// Starts a server in the current runtime, which it runs as long as.
    fn serve() -> impl Future<Output = Self::Address>;

    /// Makes the connection, from the current runtime.
    fn connect(address: Self::Address) -> impl Future<Output = Self>;

    /// Something to call through.
    fn caller(&self) -> Self::Caller;
}

/// Makes calls. What a subject does not [take](Subject::takes) it need not implement.
pub trait Caller: Clone + Send + 'static {
    /// Sends bytes and gets them back.
    fn unary(&mut self, body: Bytes) -> impl Future<Output = Bytes> + Send;

    /// The same, from a handler that is pending once before it answers.
    fn unary_yield(&mut self, _body: Bytes) -> impl Future<Output = Bytes> + Send {
        async { unreachable!("the subject does not take this scenario") }
    }

    /// Sends bytes and gets them back [`STREAM_LEN`] times; answers how many came.
    fn stream(&mut self, _body: Bytes) -> impl Future<Output = usize> + Send {
        async { unreachable!("the subject does not take this scenario") }
    }
}

/// How many messages a stream has.
pub const STREAM_LEN: usize = 64;
