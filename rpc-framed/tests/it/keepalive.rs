//! What a server does by the clock alone: on paused time, over a pipe in memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    BoxFuture, Channel, Response, Status, Streaming,
    net::{Address, Dialed},
    transport::{DrainHandle, Transport as _, supervise::Connect},
};
use rpc_framed::{ClientConfig, FramedTransport, ServerConfig};
use tokio::{
    io::{AsyncReadExt, DuplexStream},
    time::Instant,
};

use super::{
    peer::{
        CHUNK, DEADLINE, DEFINE, DRAIN, END, ERROR, Frame, GOAWAY, MESSAGE, PING, PONG, Peer, REPLY, REQUEST,
        define, frame,
    },
    service::TestService,
    support::{Direct, echo, serve_one},
};

const SECOND: Duration = Duration::from_secs(1);

/// A connection whose client has said its preface and nothing more.
async fn connected(change: impl FnOnce(&mut ServerConfig)) -> (Peer<DuplexStream>, DrainHandle) {
    connected_to(TestService::new(), 1 << 16, &[], change).await
}

/// The same to a service, over a pipe that holds so many bytes, by a client that has settings.
async fn connected_to(
    service: TestService,
    pipe: usize,
    settings: &[u8],
    change: impl FnOnce(&mut ServerConfig),
) -> (Peer<DuplexStream>, DrainHandle) {
    let mut config = ServerConfig::default();
    change(&mut config);
    config.check().expect("the settings are legal");
    let (mut peer, handle) = piped(service, pipe, config);
    peer.greet(settings).await;
    (peer, handle)
}

fn piped(service: TestService, pipe: usize, config: ServerConfig) -> (Peer<DuplexStream>, DrainHandle) {
    let (peer, io) = tokio::io::duplex(pipe);
    let (_, handle) = serve_one(service, io, config);
    (Peer(peer), handle)
}

/// The kind of the next frame; `None` at the end.
async fn next(peer: &mut Peer<DuplexStream>) -> Option<u8> {
    peer.read().await.map(|frame| frame.kind)
}

/// The runtime's timers round up to a millisecond each.
fn assert_elapsed(start: Instant, expected: Duration, timers: u32) {
    let late = start.elapsed().checked_sub(expected).expect("not early");
    assert!(late <= timers * Duration::from_millis(1), "late by {late:?}");
}

/// Servers that let connections go after a second without calls.
#[derive(Default)]
struct Impatient(Mutex<Vec<DrainHandle>>);

impl Connect for Impatient {
    fn connect<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let mut config = ServerConfig::default();
        config.max_connection_idle = Some(SECOND);
        let (_, handle) = serve_one(TestService::new(), theirs, config);
        self.0.lock().unwrap().push(handle);
        Box::pin(async { Ok(Dialed::new(Box::new(ours))) })
    }
}

/// However often: a client does not take it for a fault.
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_sent_away_before_it_is_called_is_left_to_the_next_call() {
    let transport = FramedTransport::with_connector(ClientConfig::default(), Arc::new(Impatient::default()));
    let link = transport.unwrap().link(&"127.0.0.1:1".parse().unwrap());
    let channel = Channel::new(Direct(Arc::clone(&link)));
    link.connect();
    for _ in 0..10 {
        // One that was called on is made anew, and that one is not.
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(link.state().borrow().to_string(), "idle");
        let called = Instant::now();
        echo(&channel, "x").await.expect("it is connected to anew");
        assert!(called.elapsed().is_zero(), "{:?}", called.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_asked_and_then_given_up() {
    let start = Instant::now();
    let (mut peer, _drain) = connected(|config| {
        config.keepalive_interval = Some(10 * SECOND);
        config.keepalive_timeout = 2 * SECOND;
    })
    .await;
    assert_eq!(next(&mut peer).await, Some(PING));
    assert_elapsed(start, 10 * SECOND, 1);
    assert_eq!(next(&mut peer).await, Some(GOAWAY));
    assert_elapsed(start, 12 * SECOND, 2);
    assert_eq!(next(&mut peer).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_is_kept() {
    let start = Instant::now();
    let (mut peer, _drain) = connected(|config| {
        config.keepalive_interval = Some(10 * SECOND);
        config.keepalive_timeout = 2 * SECOND;
    })
    .await;
    // More often than it may send what leads to nothing. The interval counts from when the answer was due.
    for round in 0..10_100 {
        assert_eq!(next(&mut peer).await, Some(PING), "in round {round}");
        assert_elapsed(start, (10 + 12 * round) * SECOND, 2 * round + 1);
        peer.write(&frame(PONG, 0, 0, 0, 0, &[0; 8])).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_without_calls_is_told_to_go_and_then_how_far_it_got() {
    let start = Instant::now();
    let (mut peer, _drain) = connected(|config| {
        config.keepalive_interval = None;
        config.max_connection_idle = Some(30 * SECOND);
    })
    .await;
    assert_eq!(next(&mut peer).await, Some(DRAIN));
    assert_elapsed(start, 30 * SECOND, 1);
    peer.write(&frame(DRAIN, 0, 0, 0, 0, &[])).await;
    assert_eq!(next(&mut peer).await, Some(GOAWAY));
    assert_eq!(next(&mut peer).await, None);
    assert_elapsed(start, 30 * SECOND, 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_calls_are_done_at_once_is_not_idle() {
    let (mut peer, _drain) = connected(|config| {
        config.keepalive_interval = None;
        config.max_connection_idle = Some(30 * SECOND);
    })
    .await;
    for generation in 1..=5 {
        tokio::time::sleep(20 * SECOND).await;
        let payload = define("/test.Test/Unary", b"x");
        let request = frame(REQUEST, DEFINE | MESSAGE | END, 0, generation, 0, &payload);
        peer.write(&request).await;
        assert_eq!(next(&mut peer).await, Some(REPLY), "call {generation}");
    }
    let last = Instant::now();
    assert_eq!(next(&mut peer).await, Some(DRAIN));
    assert_elapsed(last, 30 * SECOND, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_after_its_client_did_not_read_for_a_while() {
    const MESSAGES: usize = 100;
    let service = TestService::new().download(async |_| {
        let messages = vec![Bytes::from(vec![7; 1000]); MESSAGES];
        Ok(Response::new(Streaming::from_iter(messages)))
    });
    // A million bytes of credit: what stops the stream is that nothing more fits between server and client.
    let credit = [2, 0, 4, 0, 0x40, 0x42, 0x0f, 0];
    let (mut peer, _drain) = connected_to(service, 1 << 10, &credit, |config| {
        config.max_unwritten_bytes = 4 << 10;
    })
    .await;
    let payload = define("/test.Test/Download", b"x");
    let request = frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload);
    peer.write(&request).await;
    // Long enough for the server to give back what a quiet connection does not need.
    tokio::time::sleep(5 * SECOND).await;
    let (mut messages, mut ended) = (0, false);
    while !ended {
        let Frame { kind, flags, .. } = peer.read().await.expect("the connection lives");
        if kind == REPLY || kind == CHUNK {
            messages += usize::from(flags & MESSAGE != 0 || kind == CHUNK);
        }
        ended = flags & END != 0;
    }
    assert_eq!(messages, MESSAGES);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_is_not_taken_for_a_dead_one() {
    const BYTES: usize = 100_000;
    let service = TestService::new().unary(async |_| Ok(Response::new(Bytes::from(vec![7; BYTES]))));
    // The answer goes in one frame.
    let frames = [3, 0, 4, 0, 0x40, 0x42, 0x0f, 0];
    let (mut peer, _drain) = connected_to(service, 1 << 10, &frames, |config| {
        config.keepalive_interval = Some(10 * SECOND);
        config.keepalive_timeout = 2 * SECOND;
        config.max_unwritten_bytes = 1000;
    })
    .await;
    let payload = define("/test.Test/Unary", b"x");
    let request = frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload);
    peer.write(&request).await;
    // Without a word of its own.
    let mut reply = vec![0; 16 + BYTES];
    for bytes in reply.chunks_mut(1000) {
        tokio::time::sleep(SECOND).await;
        peer.0.read_exact(bytes).await.expect("the connection lives");
    }
    assert_eq!((reply[4], reply.last()), (REPLY, Some(&7)));
    // Now it has nothing more to read, and does not answer.
    assert_eq!(next(&mut peer).await, Some(PING));
    assert_eq!(next(&mut peer).await, Some(GOAWAY));
}

#[tokio::test(start_paused = true)]
async fn settings_that_let_nothing_through_are_brought_to_some_that_do() {
    let service = TestService::new().unary(async |_| Ok(Response::new(Bytes::from(vec![7; 10_000]))));
    let mut config = ServerConfig::default();
    config.handshake_timeout = Duration::ZERO;
    config.stall_timeout = Duration::ZERO;
    config.max_message_bytes = 0;
    config.check().expect_err("they cannot work");
    let (mut peer, _drain) = piped(service, 1 << 10, config);
    // It waits for what the client says first.
    tokio::task::yield_now().await;
    peer.greet(&[]).await;
    let payload = define("/test.Test/Unary", b"x");
    let request = frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload);
    peer.write(&request).await;
    // It waits for the client to read.
    tokio::task::yield_now().await;
    assert_eq!(next(&mut peer).await, Some(REPLY));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_request_runs_from_when_it_was_read() {
    let service = TestService::new().unary(async |_| Ok(Response::new(Bytes::from(vec![7; 2000]))));
    let (mut peer, _drain) = connected_to(service, 1 << 10, &[], |config| {
        config.max_unwritten_bytes = 1;
    })
    .await;
    // As many as are taken before anything is written, and one more, which then lies there until answers are read.
    let mut requests = Vec::new();
    for slot in 0..9 {
        let left_ms = 5000_u32.to_le_bytes();
        let (flags, payload) = match slot {
            0 => (DEFINE, define("/test.Test/Unary", b"")),
            8 => (DEADLINE, left_ms.to_vec()),
            _ => (0, Vec::new()),
        };
        requests.extend(frame(REQUEST, flags | MESSAGE | END, slot, 1, 0, &payload));
    }
    peer.write(&requests).await;
    tokio::time::sleep(10 * SECOND).await;
    for _ in 0..9 {
        let answer = peer.read().await.expect("the connection lives");
        let expected = if answer.slot == 8 { ERROR } else { REPLY };
        assert_eq!(answer.kind, expected, "of {}", answer.slot);
    }
}
