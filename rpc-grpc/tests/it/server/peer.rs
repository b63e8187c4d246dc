//! Peers of a server under test: one that speaks HTTP/2 through h2, and one that writes what bytes it likes.

use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use rpc_core::{
    server::Dispatch,
    transport::{Accepted, Drain, DrainHandle, ServerTransport},
};
use rpc_grpc::{GrpcServer, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
};

use super::service::TestService;

/// Fails a test that hangs; nothing else depends on it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it hangs")
}

/// A server on one end of an in-memory connection.
pub(crate) struct Served {
    pub(crate) io: DuplexStream,
    pub(crate) drain: DrainHandle,
    pub(crate) task: JoinHandle<()>,
}

pub(crate) fn serve(server: &GrpcServer, dispatch: Dispatch) -> Served {
    serve_with(server, dispatch, 1 << 20)
}

pub(crate) fn serve_with(server: &impl ServerTransport, dispatch: Dispatch, buffer: usize) -> Served {
    let (drain, view) = Drain::new();
    let (io, far) = tokio::io::duplex(buffer);
    let accepted = Accepted {
        io: Box::new(far),
        local: None,
        peer: None,
        secure: false,
    };
    let task = tokio::spawn(server.serve(accepted, dispatch, view));
    Served { io, drain, task }
}

/// A client made of h2.
pub(crate) struct Peer {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) drain: DrainHandle,
    pub(crate) served: JoinHandle<()>,
    /// How the connection ended, as the client saw it.
    pub(crate) closed: JoinHandle<Result<(), h2::Error>>,
}

impl Peer {
    pub(crate) async fn new(service: TestService) -> Self {
        Self::with(service, |_| {}).await
    }

    pub(crate) async fn with(service: TestService, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::default();
        configure(&mut config);
        Self::of(&GrpcServer::new(config), service).await
    }

    pub(crate) async fn of(server: &GrpcServer, service: TestService) -> Self {
        Self::built(server, service, &h2::client::Builder::new()).await
    }

    pub(crate) async fn built(
        server: &GrpcServer,
        service: TestService,
        builder: &h2::client::Builder,
    ) -> Self {
        let Served { io, drain, task } = serve(server, service.dispatch());
        let (send, connection) = within(builder.handshake(io)).await.expect("it speaks HTTP/2");
        Self {
            send,
            drain,
            served: task,
            closed: tokio::spawn(connection),
        }
    }

    /// Begins a call.
    pub(crate) async fn begin(&self, request: Request<()>) -> Started {
        let mut send = within(self.send.clone().ready())
            .await
            .expect("the connection lives");
        let (response, stream) = send.send_request(request, false).expect("the request is legal");
        Started { response, stream }
    }

    /// Begins a call of one message, and sends that.
    pub(crate) async fn ask(&self, request: Request<()>) -> Started {
        let mut call = self.begin(request).await;
        call.stream
            .send_data(frame("x"), true)
            .expect("the stream is open");
        call
    }

    /// A whole call of one message, with other headers than the usual.
    pub(crate) async fn request(&self, request: Request<()>, body: impl Into<Bytes>) -> Answer {
        let mut call = self.begin(request).await;
        // The server may have answered and reset already.
        let _ = call.stream.send_data(body.into(), true);
        call.answer().await
    }

    /// A whole call of one message.
    pub(crate) async fn call(&self, path: &str, message: impl AsRef<[u8]>) -> Answer {
        self.request(post(path), frame(message)).await
    }

    /// Checks that the connection still carries calls.
    pub(crate) async fn assert_alive(&self) {
        let answer = self.call("/test.Test/Unary", "alive").await;
        assert_eq!(answer.code(), 0, "{answer:?}");
        assert_eq!(answer.messages(), ["alive"]);
    }
}

/// A call under way.
pub(crate) struct Started {
    pub(crate) response: ResponseFuture,
    pub(crate) stream: h2::SendStream<Bytes>,
}

impl Started {
    pub(crate) async fn answer(self) -> Answer {
        let Started {
            response,
            stream: _stream,
        } = self;
        Answer::read(within(response).await).await
    }
}

/// All that came back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) http: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) data: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// What broke it off.
    pub(crate) error: Option<h2::Error>,
}

impl Answer {
    pub(crate) async fn of(response: ResponseFuture) -> Self {
        Self::read(within(response).await).await
    }

    pub(crate) async fn rest(response: Response<h2::RecvStream>) -> Self {
        Self::read(Ok(response)).await
    }

    async fn read(response: Result<Response<h2::RecvStream>, h2::Error>) -> Self {
        let mut answer = Self::default();
        let (head, mut body) = match response {
            Ok(response) => response.into_parts(),
            Err(error) => {
                return Self {
                    error: Some(error),
                    ..answer
                };
            }
        };
        (answer.http, answer.headers) = (head.status, head.headers);
        let mut data = BytesMut::new();
        while let Some(chunk) = within(body.data()).await {
            match chunk {
                Ok(chunk) => {
                    body.flow_control()
                        .release_capacity(chunk.len())
                        .expect("it was received");
                    data.extend_from_slice(&chunk);
                }
                Err(error) => {
                    answer.error = Some(error);
                    break;
                }
            }
        }
        answer.data = data.freeze();
        if answer.error.is_none() {
            answer.trailers = within(body.trailers()).await.unwrap_or_default();
        }
        answer
    }

    /// `grpc-status`, wherever it is.
    pub(crate) fn code(&self) -> u32 {
        self.field("grpc-status")
            .and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("no status: {self:?}"))
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let trailers = self.trailers.as_ref().unwrap_or(&self.headers);
        trailers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    /// True if it is one block of headers and nothing else.
    pub(crate) fn is_trailers_only(&self) -> bool {
        self.trailers.is_none() && self.data.is_empty() && self.headers.contains_key("grpc-status")
    }

    pub(crate) fn messages(&self) -> Vec<Bytes> {
        let mut data = self.data.clone();
        let mut messages = Vec::new();
        while !data.is_empty() {
            assert_eq!(data.get_u8(), 0, "it is not compressed");
            let len = data.get_u32() as usize;
            messages.push(data.split_to(len));
        }
        messages
    }
}

/// A request as gRPC has it.
pub(crate) fn post(path: &str) -> Request<()> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("legal")
}

pub(crate) fn with_header(mut request: Request<()>, name: &'static str, value: &str) -> Request<()> {
    request.headers_mut().append(name, value.parse().expect("legal"));
    request
}

/// A message with its prefix.
pub(crate) fn frame(message: impl AsRef<[u8]>) -> Bytes {
    let message = message.as_ref();
    let mut bytes = BytesMut::with_capacity(5 + message.len());
    bytes.put_u8(0);
    bytes.put_u32(message.len() as u32);
    bytes.put_slice(message);
    bytes.freeze()
}

/// Sends data as there is room for it.
pub(crate) async fn send_all(
    stream: &mut h2::SendStream<Bytes>,
    mut data: Bytes,
    end: bool,
) -> Result<(), h2::Error> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match within(poll_fn(|cx| stream.poll_capacity(cx))).await {
            Some(room) => room?,
            None => return Ok(()),
        };
        let piece = data.split_to(room.min(data.len()));
        stream.send_data(piece, end && data.is_empty())?;
    }
    Ok(())
}

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Frames of HTTP/2, by kind.
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawFrame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Bytes,
}

impl RawFrame {
    /// Reason and debug data of a GOAWAY.
    pub(crate) fn goaway(&self) -> Option<(u32, u32, Bytes)> {
        let mut payload = self.payload.clone();
        (self.kind == kind::GOAWAY).then(|| (payload.get_u32(), payload.get_u32(), payload))
    }
}

pub(crate) fn raw_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut bytes = vec![a, b, c, kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The header block of a gRPC request, without HPACK's tables or Huffman's code.
pub(crate) fn header_block(extra: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    let usual = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/test.Test/Unary"),
        (":authority", "test"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    for (name, value) in usual.iter().chain(extra) {
        block.push(0);
        for text in [name, value] {
            // Lengths below 127 fit the prefix; longer ones go on in groups of seven bits.
            if text.len() < 127 {
                block.push(text.len() as u8);
            } else {
                block.push(127);
                let mut rest = text.len() - 127;
                while rest >= 128 {
                    block.push((rest % 128) as u8 | 128);
                    rest /= 128;
                }
                block.push(rest as u8);
            }
            block.extend(text.bytes());
        }
    }
    block
}

/// A client that writes bytes.
pub(crate) struct RawPeer {
    pub(crate) io: DuplexStream,
    pub(crate) drain: DrainHandle,
    pub(crate) served: JoinHandle<()>,
    buffer: BytesMut,
}

impl RawPeer {
    /// That has said nothing yet.
    pub(crate) fn silent(service: TestService, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::default();
        configure(&mut config);
        Self::of(serve(&GrpcServer::new(config), service.dispatch()))
    }

    fn of(served: Served) -> Self {
        let Served { io, drain, task } = served;
        Self {
            io,
            drain,
            served: task,
            buffer: BytesMut::new(),
        }
    }

    /// That has begun to speak HTTP/2.
    pub(crate) async fn new(service: TestService, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::silent(service, configure).begun().await
    }

    /// The same, over a connection that holds no more than 1 KiB of what it has not read.
    pub(crate) async fn narrow(service: TestService, configure: impl FnOnce(&mut ServerConfig)) -> Self {
        let mut config = ServerConfig::default();
        configure(&mut config);
        let served = serve_with(&GrpcServer::new(config), service.dispatch(), 1 << 10);
        Self::of(served).begun().await
    }

    async fn begun(mut self) -> Self {
        self.write(PREFACE).await;
        self.write(&raw_frame(kind::SETTINGS, 0, 0, &[])).await;
        self
    }

    /// Waits until the server has seen that it speaks HTTP/2.
    pub(crate) async fn settled(mut self) -> Self {
        while self
            .read_kind(kind::SETTINGS)
            .await
            .expect("it acknowledges our settings")
            .flags
            & 1
            == 0
        {}
        self
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within(self.io.write_all(bytes)).await.expect("the server reads");
    }

    /// The same, where the server may have hung up.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        within(self.io.write_all(bytes)).await.is_ok()
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn read(&mut self) -> Option<RawFrame> {
        loop {
            if self.buffer.len() >= 9 {
                let len = u32::from_be_bytes([0, self.buffer[0], self.buffer[1], self.buffer[2]]) as usize;
                if self.buffer.len() >= 9 + len {
                    let mut head = self.buffer.split_to(9);
                    head.advance(3);
                    let (kind, flags, stream) = (head.get_u8(), head.get_u8(), head.get_u32());
                    return Some(RawFrame {
                        kind,
                        flags,
                        stream,
                        payload: self.buffer.split_to(len).freeze(),
                    });
                }
            }
            match within(self.io.read_buf(&mut self.buffer)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next frame of a kind, others passed over.
    pub(crate) async fn read_kind(&mut self, kind: u8) -> Option<RawFrame> {
        loop {
            let frame = self.read().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Checks that the connection still carries calls. `stream` must be new and odd.
    pub(crate) async fn assert_alive(&mut self, stream: u32) {
        self.write(&raw_frame(kind::HEADERS, 4, stream, &header_block(&[])))
            .await;
        self.write(&raw_frame(kind::DATA, 1, stream, &frame("alive")))
            .await;
        let data = loop {
            let data = self.read_kind(kind::DATA).await.expect("it answers");
            if data.stream == stream {
                break data;
            }
        };
        assert_eq!(data.payload, frame("alive"));
    }
}

/// What many tests share a reference to.
pub(crate) type Shared<T> = Arc<T>;
