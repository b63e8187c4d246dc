//! A peer that writes bytes by hand.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Waker},
};

use bytes::Bytes;
use rpc_core::{Body, Call, Reply, Status, message::Encoded, net::Address, transport::Link};
use rpc_framed::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    net::TcpStream,
};

use super::{
    service::TYPES,
    support::{piped_link, within},
};

pub(crate) const REQUEST: u8 = 1;
pub(crate) const REPLY: u8 = 2;
pub(crate) const CHUNK: u8 = 3;
pub(crate) const STREAM_END: u8 = 4;
pub(crate) const ERROR: u8 = 5;
pub(crate) const CANCEL: u8 = 6;
pub(crate) const CREDIT: u8 = 7;
pub(crate) const PING: u8 = 8;
pub(crate) const PONG: u8 = 9;
pub(crate) const DRAIN: u8 = 10;
pub(crate) const GOAWAY: u8 = 11;

pub(crate) const END: u8 = 1;
pub(crate) const MORE: u8 = 2;
pub(crate) const MESSAGE: u8 = 4;
#[cfg(feature = "gzip")]
pub(crate) const COMPRESSED: u8 = 8;
pub(crate) const DEADLINE: u8 = 16;
pub(crate) const DEFINE: u8 = 32;

/// A client's end.
pub(crate) struct Peer<Io = TcpStream>(pub(crate) Io);

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) slot: u32,
    pub(crate) generation: u16,
    pub(crate) extra: u16,
    pub(crate) payload: Vec<u8>,
}

/// A preface with settings.
pub(crate) fn preface(highest: u8, lowest: u8, settings: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xf5rpcfrm\n".to_vec();
    bytes.extend([highest, lowest, 0, 0]);
    bytes.extend((settings.len() as u32).to_le_bytes());
    bytes.extend(settings);
    bytes
}

pub(crate) fn frame(kind: u8, flags: u8, slot: u32, generation: u16, extra: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes.extend([kind, flags, 0, 0]);
    bytes.extend(slot.to_le_bytes());
    bytes.extend(generation.to_le_bytes());
    bytes.extend(extra.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// What comes before the message of a method's first request.
pub(crate) fn define(path: &str, message: &[u8]) -> Vec<u8> {
    let mut payload = vec![5];
    payload.extend((path.len() as u16).to_le_bytes());
    payload.extend(path.as_bytes());
    payload.extend(b"proto");
    payload.extend(message);
    payload
}

impl Peer {
    /// Connects and says a preface without settings.
    pub(crate) async fn on(address: &Address) -> Self {
        let mut peer = Self::silent(address).await;
        peer.greet(&[]).await;
        peer
    }

    pub(crate) async fn silent(address: &Address) -> Self {
        Self(TcpStream::connect(address.to_string()).await.expect("it listens"))
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Peer<Io> {
    /// Says a preface with settings, and reads the server's.
    pub(crate) async fn greet(&mut self, settings: &[u8]) {
        self.write(&preface(1, 1, settings)).await;
        self.read_preface().await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.expect("it reads");
    }

    pub(crate) async fn read_preface(&mut self) -> Vec<u8> {
        let mut head = vec![0; 16];
        within(self.0.read_exact(&mut head)).await.expect("a preface");
        let length = u32::from_le_bytes([head[12], head[13], head[14], head[15]]) as usize;
        let mut settings = vec![0; length];
        within(self.0.read_exact(&mut settings)).await.expect("settings");
        head.extend(settings);
        head
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        read_frame(&mut self.0).await
    }
}

/// Sends so many bytes of a message as its credit comes, of which the last ones are still to come unless it is `complete`.
pub(crate) async fn send_large(
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    slot: u32,
    generation: u16,
    bytes: usize,
    complete: bool,
) {
    const PIECE: usize = 32 << 10;
    let (mut credit, mut left) = (256 << 10, bytes);
    while left > 0 {
        let piece = left.min(PIECE);
        left -= piece;
        while credit < piece + 16 {
            let frame = read_frame(io).await.expect("a frame");
            if (frame.kind, frame.slot, frame.generation) == (CREDIT, slot, generation) {
                let more = frame.payload.first_chunk::<4>().expect("it says how much");
                credit += u32::from_le_bytes(*more) as usize;
            }
        }
        credit -= piece + 16;
        let flags = MESSAGE | if left == 0 && complete { END } else { MORE };
        let chunk = frame(CHUNK, flags, slot, generation, 0, &vec![7; piece]);
        within(io.write_all(&chunk)).await.expect("it reads");
    }
}

async fn read_frame(io: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut head = [0; 16];
    within(io.read_exact(&mut head)).await.ok()?;
    let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize];
    within(io.read_exact(&mut payload)).await.ok()?;
    Some(Frame {
        kind: head[4],
        flags: head[5],
        slot: u32::from_le_bytes([head[8], head[9], head[10], head[11]]),
        generation: u16::from_le_bytes([head[12], head[13]]),
        extra: u16::from_le_bytes([head[14], head[15]]),
        payload,
    })
}

/// A server's end, which answers what it is told to.
pub(crate) struct Server(pub(crate) DuplexStream);

impl Server {
    /// Says a preface, and that it takes so many calls at once.
    pub(crate) async fn greet(&mut self, calls: u32) {
        let mut settings = vec![1, 0, 4, 0];
        settings.extend(calls.to_le_bytes());
        self.greet_with(&settings).await;
    }

    /// Says a preface with settings.
    pub(crate) async fn greet_with(&mut self, settings: &[u8]) {
        let mut head = [0; 16];
        within(self.0.read_exact(&mut head)).await.expect("a preface");
        let length = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
        let mut theirs = vec![0; length as usize];
        within(self.0.read_exact(&mut theirs)).await.expect("settings");
        self.write(&preface(1, 1, settings)).await;
    }

    pub(crate) async fn next(&mut self) -> Frame {
        read_frame(&mut self.0).await.expect("a frame")
    }

    /// The next request; what else comes is passed over.
    pub(crate) async fn next_request(&mut self) -> Frame {
        loop {
            let frame = self.next().await;
            if frame.kind == REQUEST {
                return frame;
            }
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.expect("it reads");
    }

    pub(crate) async fn answer(&mut self, request: &Frame) {
        let flags = MESSAGE | END;
        self.write(&frame(REPLY, flags, request.slot, request.generation, 0, b""))
            .await;
    }

    /// Answers with so many bytes, of which the last ones are still to come unless it is `complete`, and waits for them to be
    /// read.
    pub(crate) async fn answer_large(&mut self, request: &Frame, bytes: usize, complete: bool) {
        let (slot, generation) = (request.slot, request.generation);
        let head = frame(REPLY, MESSAGE | MORE, slot, generation, 0, b"");
        self.write(&head).await;
        send_large(&mut self.0, slot, generation, bytes, complete).await;
        self.write(&frame(PING, 0, 0, 0, 0, &[0; 8])).await;
        while self.next().await.kind != PONG {}
    }
}

/// A call of an echo, of so many bytes.
pub(crate) fn call(bytes: usize) -> Call<'static> {
    let bytes = Bytes::from(vec![7; bytes]);
    Call::new(TYPES[0].method(), "proto", Body::Encoded(Encoded { bytes }))
}

/// A link that is connected, and its server's end.
pub(crate) async fn connected(
    pipe: usize,
    calls: u32,
    change: impl FnOnce(&mut ClientConfig),
) -> (Arc<dyn Link>, Server) {
    let (link, theirs) = piped_link(pipe, change);
    let mut server = Server(theirs);
    connect(&link, &mut server, calls).await;
    (link, server)
}

/// Makes the link connect, by a call that is answered.
pub(crate) async fn connect(link: &Arc<dyn Link>, server: &mut Server, calls: u32) {
    let mut first = call(1);
    let (reply, ()) = tokio::join!(within(link.call(&mut first)), async {
        server.greet(calls).await;
        let request = server.next_request().await;
        server.answer(&request).await;
    });
    reply.expect("it is answered");
}

/// Polls a call once, so that its request is sent.
pub(crate) async fn begin(
    call: Pin<&mut (impl Future<Output = Result<Reply, Status>> + ?Sized)>,
    server: &mut Server,
) -> Frame {
    let polled = call.poll(&mut Poller::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it waits for its answer");
    server.next_request().await
}
