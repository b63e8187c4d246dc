//! A network in memory, peers made of bare h2, and calls without stubs.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use h2::{
    RecvStream,
    server::{Connection, SendResponse},
};
use http::{HeaderMap, Request, Response};
use rpc_core::{
    Body, BoxFuture, Call, MethodDescriptor, Reply, Shape, Status,
    message::{Encoded, Incoming, Outgoing},
    net::{Address, Dialed},
    transport::{Link, LinkState, Transport, supervise::Connect},
};
use rpc_grpc::{ClientConfig, GrpcTransport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

pub(crate) static UNARY: MethodDescriptor = MethodDescriptor::new("/t.S/Unary", Shape::Unary);
pub(crate) static UPLOAD: MethodDescriptor = MethodDescriptor::new("/t.S/Upload", Shape::ClientStreaming);
pub(crate) static WATCH: MethodDescriptor = MethodDescriptor::new("/t.S/Watch", Shape::ServerStreaming);
pub(crate) static SYNC: MethodDescriptor = MethodDescriptor::new("/t.S/Sync", Shape::Bidi);

/// The longest that anything may take before a test counts as hung.
const HUNG: Duration = Duration::from_hours(1);

/// Runs a part of a test that must not hang.
pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    let output = tokio::time::timeout(HUNG, future).await;
    output.unwrap_or_else(|_| panic!("hung: {what}"))
}

/// The same where time does not stand still.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    let output = tokio::time::timeout(Duration::from_mins(1), future).await;
    output.unwrap_or_else(|_| panic!("hung: {what}"))
}

/// Lets everything that can run do so.
pub(crate) async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A network of one server, which is there or is not.
pub(crate) struct Net {
    accepted: mpsc::UnboundedSender<DuplexStream>,
    /// What the next connects do; connects beyond that succeed.
    script: Mutex<VecDeque<Connects>>,
    dials: AtomicUsize,
    buffer: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connects {
    Fails,
    Hangs,
    Succeeds,
}

impl Net {
    pub(crate) fn new() -> (Arc<Self>, mpsc::UnboundedReceiver<DuplexStream>) {
        Self::with_buffer(1 << 20)
    }

    pub(crate) fn with_buffer(buffer: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<DuplexStream>) {
        let (accepted, incoming) = mpsc::unbounded_channel();
        let net = Self {
            accepted,
            script: Mutex::default(),
            dials: AtomicUsize::new(0),
            buffer,
        };
        (Arc::new(net), incoming)
    }

    pub(crate) fn script(&self, next: impl IntoIterator<Item = Connects>) {
        self.script.lock().unwrap().extend(next);
    }

    pub(crate) fn dials(&self) -> usize {
        self.dials.load(SeqCst)
    }
}

impl Connect for Net {
    fn connect<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        Box::pin(async {
            self.dials.fetch_add(1, SeqCst);
            let next = self
                .script
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or(Connects::Succeeds);
            match next {
                Connects::Hangs => std::future::pending().await,
                Connects::Succeeds => {
                    let (near, far) = tokio::io::duplex(self.buffer);
                    if self.accepted.send(far).is_ok() {
                        return Ok(Dialed::new(Box::new(near)));
                    }
                }
                Connects::Fails => {}
            }
            Err(Status::unavailable("nobody is there").not_processed())
        })
    }
}

pub(crate) fn address() -> Address {
    "10.0.0.1:50051".parse().unwrap()
}

pub(crate) fn link(net: &Arc<Net>) -> Arc<dyn Link> {
    link_with(net, |_| ())
}

pub(crate) fn link_with(net: &Arc<Net>, change: impl FnOnce(&mut ClientConfig)) -> Arc<dyn Link> {
    let mut config = ClientConfig::default();
    change(&mut config);
    let connector = Arc::clone(net) as Arc<dyn Connect>;
    GrpcTransport::with_connector(config, connector)
        .unwrap()
        .link(&address())
}

/// A network whose server answers each request in a task, on as many connections as come.
pub(crate) fn served<F, Fut>(change: impl FnOnce(&mut ClientConfig), answer: F) -> (Arc<Net>, Arc<dyn Link>)
where
    F: Fn(Exchange) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (net, mut incoming) = Net::new();
    let link = link_with(&net, change);
    tokio::spawn(async move {
        while let Some(io) = incoming.recv().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut peer = Peer::on(io).await;
                while let Some(exchange) = peer.next().await {
                    tokio::spawn(answer(exchange));
                }
            });
        }
    });
    (net, link)
}

/// The server's end of a connection.
pub(crate) struct Peer {
    pub(crate) h2: Connection<DuplexStream, Bytes>,
}

impl Peer {
    pub(crate) async fn on(io: DuplexStream) -> Self {
        Self::with(io, |_| ()).await
    }

    pub(crate) async fn with(io: DuplexStream, change: impl FnOnce(&mut h2::server::Builder)) -> Self {
        let mut builder = h2::server::Builder::new();
        change(&mut builder);
        Self {
            h2: builder.handshake(io).await.expect("the client speaks HTTP/2"),
        }
    }

    /// The next request; `None` once the connection is over, however.
    pub(crate) async fn next(&mut self) -> Option<Exchange> {
        let (request, respond) = self.h2.accept().await?.ok()?;
        let (parts, body) = request.into_parts();
        Some(Exchange {
            request: Request::from_parts(parts, ()),
            body,
            respond,
        })
    }

    /// Goes on with what there is; takes no requests.
    pub(crate) async fn finish(mut self) {
        while self.next().await.is_some() {}
    }

    /// Goes on in the background, leaving further requests unanswered but open.
    pub(crate) fn detach(mut self) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Some(exchange) = self.next().await {
                open.push(exchange);
            }
        })
    }
}

pub(crate) const HEADERS: u8 = 1;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

/// A server's end that writes frames by hand, for what h2 would not do.
pub(crate) struct RawPeer(DuplexStream);

/// What is read of a frame.
pub(crate) struct RawFrame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
}

impl RawPeer {
    pub(crate) async fn on(mut io: DuplexStream) -> Self {
        let mut preface = [0; 24];
        io.read_exact(&mut preface).await.unwrap();
        let mut peer = Self(io);
        peer.write(SETTINGS, 0, 0, &[]).await;
        peer
    }

    /// The next frame. SETTINGS are acknowledged.
    pub(crate) async fn frame(&mut self) -> RawFrame {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        self.0.read_exact(&mut payload).await.unwrap();
        if (head[3], head[4]) == (SETTINGS, 0) {
            self.write(SETTINGS, 1, 0, &[]).await;
        }
        RawFrame {
            kind: head[3],
            flags: head[4],
        }
    }

    pub(crate) async fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }
}

/// A request, and the way to answer it.
pub(crate) struct Exchange {
    pub(crate) request: Request<()>,
    pub(crate) body: RecvStream,
    pub(crate) respond: SendResponse<Bytes>,
}

impl Exchange {
    /// All messages of the request, with their prefixes.
    pub(crate) async fn read(&mut self) -> Bytes {
        let mut all = BytesMut::new();
        while let Some(data) = self.body.data().await {
            let Ok(data) = data else { break };
            let _ = self.body.flow_control().release_capacity(data.len());
            all.put(data);
        }
        all.freeze()
    }

    /// Answers with messages and trailers.
    pub(crate) fn answer(&mut self, messages: &[&[u8]], trailers: &[(&'static str, &str)]) {
        let data: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
        let Ok(mut stream) = self.respond.send_response(head(&[]), false) else {
            return;
        };
        let _ = stream.send_data(data.into(), false);
        let _ = stream.send_trailers(headers(trailers));
    }

    /// Answers with one block that is headers and trailers at once.
    pub(crate) fn end(&mut self, trailers: &[(&'static str, &str)]) {
        let _ = self.respond.send_response(head(trailers), true);
    }

    /// Sends the request's first message back.
    pub(crate) async fn echo(mut self) {
        let sent = self.read().await;
        self.answer(&[&sent[5..]], &[("grpc-status", "0")]);
    }
}

pub(crate) fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
    entries
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
        .collect()
}

/// The head of an answer; an entry replaces the usual one.
pub(crate) fn head(entries: &[(&'static str, &str)]) -> Response<()> {
    let mut response = Response::new(());
    response
        .headers_mut()
        .insert("content-type", "application/grpc".parse().unwrap());
    for (name, value) in entries {
        if *name == ":status" {
            *response.status_mut() = value.parse().unwrap();
        } else if value.is_empty() {
            response.headers_mut().remove(*name);
        } else {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
    }
    response
}

pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend((message.len() as u32).to_be_bytes());
    framed.extend(message);
    framed
}

pub(crate) fn call(method: &'static MethodDescriptor, message: impl Into<Bytes>) -> Call<'static> {
    Call::new(
        method.into(),
        "proto",
        Body::Encoded(Encoded {
            bytes: message.into(),
        }),
    )
}

/// A unary call and its answer.
pub(crate) async fn unary(link: &Arc<dyn Link>, message: &'static str) -> Result<Bytes, Status> {
    let mut call = call(&UNARY, message);
    Ok(message_of(link.call(&mut call).await?))
}

pub(crate) fn message_of(reply: Reply) -> Bytes {
    match reply.body {
        Body::Encoded(encoded) => encoded.bytes,
        body => panic!("not a message: {body:?}"),
    }
}

/// Starts a unary call in a task of its own.
pub(crate) fn spawn_unary(
    link: &Arc<dyn Link>,
    message: &'static str,
) -> tokio::task::JoinHandle<Result<Bytes, Status>> {
    let link = Arc::clone(link);
    tokio::spawn(async move { unary(&link, message).await })
}

/// A stream of requests, fed by a channel.
pub(crate) struct Requests(mpsc::UnboundedReceiver<Result<Bytes, Status>>);

pub(crate) fn requests() -> (mpsc::UnboundedSender<Result<Bytes, Status>>, Body<'static>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Body::Outgoing(Box::new(Requests(receiver))))
}

impl Outgoing for Requests {
    fn poll_encode(&mut self, cx: &mut Context<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        self.0
            .poll_recv(cx)
            .map(|item| item.map(|item| item.map(|message| out.put(message))))
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

/// A call with a stream of requests.
pub(crate) fn streaming_call(method: &'static MethodDescriptor, body: Body<'static>) -> Call<'static> {
    Call::new(method.into(), "proto", body)
}

pub(crate) fn replies_of(reply: Reply) -> Box<dyn Incoming> {
    match reply.body {
        Body::Incoming(stream) => stream,
        body => panic!("not a stream: {body:?}"),
    }
}

pub(crate) async fn next(stream: &mut Box<dyn Incoming>) -> Option<Result<Bytes, Status>> {
    poll_fn(|cx| stream.poll_message(cx)).await
}

/// Waits until the link is in a state.
pub(crate) async fn reaches(link: &Arc<dyn Link>, what: &str, is: impl FnMut(&LinkState) -> bool) {
    let mut state = link.state();
    let reached = within(what, state.wait_for(is)).await.is_ok();
    assert!(reached, "the link is gone before it is {what}");
}
