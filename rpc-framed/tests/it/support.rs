//! A server, and a channel to it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    BoxFuture, Call, Channel, Reply, Request, Response, Result, Stage, Status, client,
    net::{Address, Dialed},
    transport::{Accepted, Drain, DrainHandle, Io, Link, ServerTransport, Transport, supervise::Connect},
};
use rpc_framed::{ClientConfig, FramedServer, FramedTransport, ServerConfig};
use tokio::{io::DuplexStream, net::TcpListener, task::JoinHandle};

use super::service::{TYPES, TestService};

/// Passes calls on to a link.
pub(crate) struct Direct(pub(crate) Arc<dyn Link>);

impl Stage for Direct {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        self.0.call(call).await
    }
}

/// A server on a port of its own, and a way to it.
pub(crate) struct Pair {
    pub(crate) channel: Channel,
    pub(crate) link: Arc<dyn Link>,
    pub(crate) drain: DrainHandle,
    pub(crate) address: Address,
}

/// A server with a service, all defaults.
pub(crate) async fn pair(service: TestService) -> Pair {
    pair_with(service, |_| (), |_| ()).await
}

pub(crate) async fn pair_with(
    service: TestService,
    server: impl FnOnce(&mut ServerConfig),
    client: impl FnOnce(&mut ClientConfig),
) -> Pair {
    let (address, drain) = serve(service, server).await;
    let link = link(&address, client);
    Pair {
        channel: Channel::new(Direct(Arc::clone(&link))),
        link,
        drain,
        address,
    }
}

pub(crate) fn link(address: &Address, change: impl FnOnce(&mut ClientConfig)) -> Arc<dyn Link> {
    let mut config = ClientConfig::default();
    change(&mut config);
    let transport = FramedTransport::new(config).expect("the settings are legal");
    transport.link(address)
}

/// Connects to one pipe after the other.
struct Pipes {
    pipes: Mutex<VecDeque<DuplexStream>>,
    fails_late: bool,
}

impl Connect for Pipes {
    fn connect<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        let io = self.pipes.lock().unwrap().pop_front();
        Box::pin(async move {
            let mut dialed = Dialed::new(Box::new(io.expect("there is a pipe for it")));
            dialed.fails_late = self.fails_late;
            Ok(dialed)
        })
    }
}

/// A link over a pipe that holds so many bytes, and the pipe's other end.
pub(crate) fn piped_link(
    bytes: usize,
    change: impl FnOnce(&mut ClientConfig),
) -> (Arc<dyn Link>, DuplexStream) {
    let (link, [theirs]) = piped_links(bytes, change);
    (link, theirs)
}

/// The same over several pipes, a connection each.
pub(crate) fn piped_links<const N: usize>(
    bytes: usize,
    change: impl FnOnce(&mut ClientConfig),
) -> (Arc<dyn Link>, [DuplexStream; N]) {
    links_that_are(false, bytes, change)
}

/// The same over pipes of which nobody knows what a write that fails took.
pub(crate) fn late_links<const N: usize>(bytes: usize) -> (Arc<dyn Link>, [DuplexStream; N]) {
    links_that_are(true, bytes, |_| ())
}

fn links_that_are<const N: usize>(
    fails_late: bool,
    bytes: usize,
    change: impl FnOnce(&mut ClientConfig),
) -> (Arc<dyn Link>, [DuplexStream; N]) {
    let mut config = ClientConfig::default();
    change(&mut config);
    let mut pipes = VecDeque::new();
    let theirs = std::array::from_fn(|_| {
        let (ours, theirs) = tokio::io::duplex(bytes);
        pipes.push_back(ours);
        theirs
    });
    let pipes = Arc::new(Pipes {
        pipes: Mutex::new(pipes),
        fails_late,
    });
    let transport = FramedTransport::with_connector(config, pipes).expect("legal settings");
    (transport.link(&"127.0.0.1:1".parse().unwrap()), theirs)
}

/// Serves on a port of its own.
pub(crate) async fn serve(
    service: TestService,
    change: impl FnOnce(&mut ServerConfig),
) -> (Address, DrainHandle) {
    let mut config = ServerConfig::default();
    change(&mut config);
    config.check().expect("the settings are legal");
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = Address::from(listener.local_addr().expect("it is bound"));
    let (drain, _) = Drain::new();
    let (dispatch, handle) = (service.dispatch(), drain.clone());
    tokio::spawn(async move {
        let server = FramedServer::new(config);
        while let Ok((io, peer)) = listener.accept().await {
            io.set_nodelay(true).expect("it is open");
            let (local, peer) = (io.local_addr().ok().map(Address::from), Some(peer.into()));
            let connection = Accepted {
                io: Box::new(io),
                local,
                peer,
                secure: false,
            };
            tokio::spawn(server.serve(connection, dispatch.clone(), handle.subscribe()));
        }
    });
    (address, drain)
}

/// Serves one connection.
pub(crate) fn serve_one(
    service: TestService,
    io: impl Io,
    config: ServerConfig,
) -> (JoinHandle<()>, DrainHandle) {
    let (handle, drain) = Drain::new();
    let connection = Accepted {
        io: Box::new(io),
        local: None,
        peer: None,
        secure: false,
    };
    let served = FramedServer::new(config).serve(connection, service.dispatch(), drain);
    (tokio::spawn(served), handle)
}

pub(crate) fn request(message: &'static str) -> Request<Bytes> {
    Request::new(Bytes::from_static(message.as_bytes()))
}

pub(crate) async fn unary(channel: &Channel, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
    within(client::unary(channel, &TYPES[0], request)).await
}

/// Calls with bytes, and gets bytes.
pub(crate) async fn echo(channel: &Channel, message: impl Into<Bytes>) -> Result<Bytes, Status> {
    unary(channel, Request::new(message.into()))
        .await
        .map(Response::into_inner)
}

/// Runs a part of a test that must not hang.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_mins(1), future)
        .await
        .expect("it does not hang")
}
