//! What a server does by the clock alone: on paused time, over a pipe in memory.

use std::time::Duration;

use bytes::Bytes;
use rpc_core::{
    Response, Streaming,
    transport::{Accepted, Drain, DrainHandle, ServerTransport},
};
use rpc_framed::{FramedServer, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::Instant,
};

use super::{
    peer::{CHUNK, DEFINE, DRAIN, END, GOAWAY, MESSAGE, PING, PONG, REPLY, REQUEST, define, frame, preface},
    service::TestService,
};

const SECOND: Duration = Duration::from_secs(1);

/// A connection whose client has said its preface and nothing more.
async fn connected(change: impl FnOnce(&mut ServerConfig)) -> (DuplexStream, DrainHandle) {
    connected_to(TestService::new(), 1 << 16, &[], change).await
}

/// The same to a service, over a pipe that holds so many bytes, by a client that has settings.
async fn connected_to(
    service: TestService,
    pipe: usize,
    settings: &[u8],
    change: impl FnOnce(&mut ServerConfig),
) -> (DuplexStream, DrainHandle) {
    let mut config = ServerConfig::default();
    change(&mut config);
    config.check().expect("the settings are legal");
    let (mut peer, handle) = serve(service, pipe, config);
    greet(&mut peer, settings).await;
    (peer, handle)
}

fn serve(service: TestService, pipe: usize, config: ServerConfig) -> (DuplexStream, DrainHandle) {
    let (peer, io) = tokio::io::duplex(pipe);
    let (handle, drain) = Drain::new();
    let connection = Accepted {
        io: Box::new(io),
        local: None,
        peer: None,
        secure: false,
    };
    tokio::spawn(FramedServer::new(config).serve(connection, service.dispatch(), drain));
    (peer, handle)
}

async fn greet(peer: &mut DuplexStream, settings: &[u8]) {
    let greeting = preface(1, 1, settings);
    peer.write_all(&greeting).await.expect("it reads");
    let mut head = [0; 16];
    peer.read_exact(&mut head).await.expect("a preface");
    let length = u32::from_le_bytes([head[12], head[13], head[14], head[15]]);
    let mut settings = vec![0; length as usize];
    peer.read_exact(&mut settings).await.expect("settings");
}

/// The kind of the next frame; `None` at the end.
async fn next(peer: &mut DuplexStream) -> Option<u8> {
    next_frame(peer).await.map(|(kind, _)| kind)
}

/// Kind and flags of the next frame.
async fn next_frame(peer: &mut DuplexStream) -> Option<(u8, u8)> {
    let mut head = [0; 16];
    peer.read_exact(&mut head).await.ok()?;
    let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize];
    peer.read_exact(&mut payload).await.ok()?;
    Some((head[4], head[5]))
}

/// The runtime's timers round up to a millisecond each.
fn assert_elapsed(start: Instant, expected: Duration, timers: u32) {
    let late = start.elapsed().checked_sub(expected).expect("not early");
    assert!(late <= timers * Duration::from_millis(1), "late by {late:?}");
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
    // The interval counts from when the answer was due.
    for round in 0..100 {
        assert_eq!(next(&mut peer).await, Some(PING), "in round {round}");
        assert_elapsed(start, (10 + 12 * round) * SECOND, 2 * round + 1);
        peer.write_all(&frame(PONG, 0, 0, 0, 0, &[0; 8]))
            .await
            .expect("it reads");
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
    peer.write_all(&frame(DRAIN, 0, 0, 0, 0, &[]))
        .await
        .expect("it reads");
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
        peer.write_all(&request).await.expect("it reads");
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
    peer.write_all(&request).await.expect("it reads");
    // Long enough for the server to give back what a quiet connection does not need.
    tokio::time::sleep(5 * SECOND).await;
    let (mut messages, mut ended) = (0, false);
    while !ended {
        let read = tokio::time::timeout(30 * SECOND, next_frame(&mut peer)).await;
        let (kind, flags) = read.expect("it goes on").expect("the connection lives");
        if kind == REPLY || kind == CHUNK {
            messages += usize::from(flags & MESSAGE != 0 || kind == CHUNK);
        }
        ended = flags & END != 0;
    }
    assert_eq!(messages, MESSAGES);
}

#[tokio::test(start_paused = true)]
async fn settings_that_let_nothing_through_are_brought_to_some_that_do() {
    let service = TestService::new().unary(async |_| Ok(Response::new(Bytes::from(vec![7; 10_000]))));
    let mut config = ServerConfig::default();
    config.handshake_timeout = Duration::ZERO;
    config.stall_timeout = Duration::ZERO;
    config.max_message_bytes = 0;
    config.check().expect_err("they cannot work");
    let (mut peer, _drain) = serve(service, 1 << 10, config);
    // It waits for what the client says first.
    tokio::task::yield_now().await;
    greet(&mut peer, &[]).await;
    let payload = define("/test.Test/Unary", b"x");
    let request = frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload);
    peer.write_all(&request).await.expect("it reads");
    // It waits for the client to read.
    tokio::task::yield_now().await;
    assert_eq!(next(&mut peer).await, Some(REPLY));
}
