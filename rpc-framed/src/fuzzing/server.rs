//! A whole server, and a client that says anything.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Poller, Poll},
};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Call, CallFuture, MethodDescriptor, Request, Response, ServiceDescriptor, Shape, Streaming,
    codec::{Codec, CodecError, Decode, Encode, MessageCodec, MethodTypes},
    server::{self, Dispatch, Router, Service},
    transport::{Accepted, Drain, ServerTransport},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::LIMIT_BYTES;
use crate::{
    FramedServer, ServerConfig,
    wire::{
        HEAD_BYTES, Head, kind,
        preface::{self, Settings},
    },
};

/// The first byte says how much of the rest comes at once. The server is to end, and all that it says is to be legal.
pub fn framed_server(input: &[u8]) {
    let Some((piece, frames)) = input.split_first() else {
        return;
    };
    let mut said = BytesMut::new();
    Settings::least().encode(&mut said);
    said.extend_from_slice(frames);
    let written = Arc::new(Mutex::new(Vec::new()));
    let io = Script {
        said: said.freeze(),
        piece: usize::from(*piece) + 1,
        waits: false,
        written: Arc::clone(&written),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("there is room for a runtime");
    runtime.block_on(serve(io));
    // The calls that are left have the outbox.
    drop(runtime);
    check(&written.lock().unwrap_or_else(PoisonError::into_inner));
}

async fn serve(io: Script) {
    let config = ServerConfig {
        max_message_bytes: LIMIT_BYTES,
        max_concurrent_calls: 4,
        ..ServerConfig::default()
    };
    let mut router = Router::new();
    router.add(Arc::new(Echo)).expect("it is the only service");
    let connection = Accepted {
        io: Box::new(io),
        local: None,
        peer: None,
        secure: false,
    };
    let (_handle, drain) = Drain::new();
    FramedServer::new(config)
        .serve(connection, Dispatch::new(Arc::new(router)), drain)
        .await;
}

fn check(written: &[u8]) {
    let (_, length) = preface::decode(written)
        .expect("it is a preface")
        .expect("all of it is there");
    let mut rest = &written[length..];
    while let Some((head, after)) = rest.split_first_chunk::<HEAD_BYTES>() {
        let head = Head::decode(head);
        let (_, after) = after
            .split_at_checked(head.length as usize)
            .expect("no frame is cut off");
        assert!(u32::from(head.metadata) <= head.length);
        assert!(
            (kind::REPLY..=kind::GOAWAY).contains(&head.kind) && head.kind != kind::CANCEL,
            "a server says {}",
            head.kind
        );
        rest = after;
    }
    assert!(rest.is_empty(), "no head is cut off");
}

/// What a client says, in pieces, and what it hears.
struct Script {
    said: Bytes,
    piece: usize,
    /// Others had their turn since the last piece.
    waits: bool,
    written: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.waits = !self.waits;
        if self.waits {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = self.piece.min(self.said.len()).min(buffer.remaining());
        buffer.put_slice(&self.said.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(self: Pin<&mut Self>, _: &mut Poller<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Leaves bytes as they are.
struct Raw;

impl Codec for Raw {
    const NAME: &'static str = "raw";
}

impl Encode<Bytes> for Raw {
    fn encode(value: &Bytes, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(value);
        Ok(())
    }
}

impl Decode<Bytes> for Raw {
    fn decode(bytes: Bytes) -> Result<Bytes, CodecError> {
        Ok(bytes)
    }
}

const CODECS: &[&str] = &["raw"];

/// Short paths, which a fuzzer finds.
static METHODS: [MethodDescriptor; 4] = [
    MethodDescriptor::new("/E/0", Shape::Unary).codecs(CODECS),
    MethodDescriptor::new("/E/1", Shape::ClientStreaming).codecs(CODECS),
    MethodDescriptor::new("/E/2", Shape::ServerStreaming).codecs(CODECS),
    MethodDescriptor::new("/E/3", Shape::Bidi).codecs(CODECS),
];

static SERVICE: ServiceDescriptor = ServiceDescriptor::new("E", &METHODS);

static RAW: [MessageCodec<Bytes>; 1] = [MessageCodec::of::<Raw>()];

static TYPES: [MethodTypes<Bytes, Bytes>; 4] = [
    MethodTypes::new(&METHODS[0], &RAW, &RAW),
    MethodTypes::new(&METHODS[1], &RAW, &RAW),
    MethodTypes::new(&METHODS[2], &RAW, &RAW),
    MethodTypes::new(&METHODS[3], &RAW, &RAW),
];

/// A method of each shape that answers what it is asked.
struct Echo;

impl Service for Echo {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &SERVICE
    }

    fn call<'a>(&'a self, method: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        let types = &TYPES[method];
        match method {
            0 => server::unary(types, call, async |request| {
                Ok(Response::new(request.into_inner()))
            }),
            1 => server::client_streaming(types, call, async |request: Request<Streaming<Bytes>>| {
                let (mut stream, mut last) = (request.into_inner(), Bytes::new());
                while let Some(message) = stream.message().await? {
                    last = message;
                }
                Ok(Response::new(last))
            }),
            2 => server::server_streaming(types, call, async |request: Request<Bytes>| {
                let message = request.into_inner();
                Ok(Response::new(Streaming::from_iter([message.clone(), message])))
            }),
            _ => server::bidi(types, call, async |request: Request<Streaming<Bytes>>| {
                Ok(Response::new(request.into_inner()))
            }),
        }
    }
}

/// Appends what defines a method.
#[cfg(test)]
pub(super) fn define(method: u8, out: &mut BytesMut) {
    let path = METHODS[usize::from(method)].path();
    out.extend_from_slice(&[Raw::NAME.len() as u8, path.len() as u8, 0]);
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(Raw::NAME.as_bytes());
}
