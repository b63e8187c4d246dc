//! Peers that mean harm, or are broken: a clear end for them, bounded memory, and no effect on anybody else.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use bytes::Bytes;
use rpc_core::Response;
use rpc_framed::ServerConfig;
use tokio::io::AsyncWriteExt;

use super::{
    peer::{
        CANCEL, CHUNK, CREDIT, DEADLINE, DEFINE, END, ERROR, GOAWAY, MESSAGE, PING, PONG, Peer, REPLY,
        REQUEST, define, frame, preface,
    },
    service::TestService,
    support::{echo, pair, pair_with, serve_one, within},
};

/// The GOAWAY with which a server answers bytes, and that others are served still.
async fn is_sent_away(bytes: &[u8], reason: u16) {
    let pair = pair(TestService::new()).await;
    let mut peer = Peer::on(&pair.address).await;
    peer.write(bytes).await;
    let goaway = loop {
        let frame = peer.read().await.expect("it says why");
        if frame.kind == GOAWAY {
            break frame;
        }
    };
    assert_eq!(u16::from_le_bytes([goaway.payload[8], goaway.payload[9]]), reason);
    assert!(goaway.payload.len() > 10, "there is a text");
    assert_eq!(peer.read().await, None);
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn a_length_that_is_a_lie_ends_the_connection() {
    let mut head = frame(REQUEST, 0, 0, 1, 0, &[]);
    head[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    is_sent_away(&head, 1).await;
    let mut head = frame(REQUEST, MESSAGE | END, 0, 1, 0, &[]);
    head[6] = 9;
    is_sent_away(&head, 1).await;
}

#[tokio::test]
async fn garbage_ends_the_connection() {
    is_sent_away(&[0x55; 64], 1).await;
    is_sent_away(&frame(REPLY, END, 0, 1, 0, &[]), 1).await;
    is_sent_away(&frame(77, 0, 0, 0, 0, &[]), 1).await;
    // A number that was never defined, one with a gap, one beyond the limit, and too many calls.
    is_sent_away(&frame(REQUEST, MESSAGE | END, 0, 1, 0, &[]), 1).await;
    is_sent_away(
        &frame(REQUEST, MESSAGE | END | DEFINE, 0, 1, 5, &define("/a/b", b"")),
        1,
    )
    .await;
    is_sent_away(
        &frame(REQUEST, MESSAGE | END | DEFINE, 0, 1, 5000, &define("/a/b", b"")),
        1,
    )
    .await;
    is_sent_away(
        &frame(REQUEST, MESSAGE | END | DEFINE, 512, 1, 0, &define("/a/b", b"")),
        1,
    )
    .await;
    is_sent_away(
        &frame(REQUEST, MESSAGE | END | DEFINE, 0, 1, 0, &[255, 255, 255]),
        1,
    )
    .await;
}

#[tokio::test]
async fn unknown_optional_frames_and_flags_are_passed_over() {
    let pair = pair(TestService::new()).await;
    let mut peer = Peer::on(&pair.address).await;
    peer.write(&frame(200, 0xff, 7, 7, 7, b"what is this")).await;
    let request = define("/test.Test/Unary", b"hello");
    peer.write(&frame(REQUEST, MESSAGE | END | DEFINE | 0x40, 0, 1, 0, &request))
        .await;
    let reply = peer.read().await.expect("an answer");
    assert_eq!((reply.kind, reply.payload.as_slice()), (REPLY, &b"hello"[..]));
}

#[tokio::test]
async fn a_flood_of_pings_is_ended() {
    let pair = pair(TestService::new()).await;
    let mut peer = Peer::on(&pair.address).await;
    peer.write(&frame(PING, 0, 0, 0, 0, b"12345678")).await;
    let pong = peer.read().await.expect("one is answered");
    assert_eq!((pong.kind, pong.payload.as_slice()), (PONG, &b"12345678"[..]));
    let flood: Vec<u8> = std::iter::repeat_with(|| frame(PING, 0, 0, 0, 0, b""))
        .take(200)
        .flatten()
        .collect();
    peer.write(&flood).await;
    loop {
        match peer.read().await.expect("it says why").kind {
            GOAWAY => break,
            kind => assert_eq!(kind, PONG),
        }
    }
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn more_than_the_credit_ends_the_connection() {
    // A handler that reads nothing.
    let service = TestService::new().upload(async |request| {
        let _unread = request;
        std::future::pending().await
    });
    let pair = pair(service).await;
    let mut peer = Peer::on(&pair.address).await;
    let upload = define("/test.Test/Upload", b"");
    peer.write(&frame(REQUEST, DEFINE, 0, 1, 0, &upload)).await;
    // Of the credit of 256 KiB two are paid, and the third is not.
    for _ in 0..3 {
        peer.write(&frame(CHUNK, MESSAGE, 0, 1, 0, &vec![0; 100_000]))
            .await;
    }
    let goaway = peer.read().await.expect("it says why");
    assert_eq!((goaway.kind, goaway.payload[8]), (GOAWAY, 1));
    assert_eq!(&goaway.payload[10..], b"more came than was allowed");
    assert_eq!(peer.read().await, None);
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn a_chunk_with_nothing_in_it_ends_the_connection() {
    let pair = pair(TestService::new()).await;
    let mut peer = Peer::on(&pair.address).await;
    let upload = define("/test.Test/Upload", b"");
    peer.write(&frame(REQUEST, DEFINE, 0, 1, 0, &upload)).await;
    peer.write(&frame(CHUNK, 0, 0, 1, 0, b"")).await;
    let goaway = peer.read().await.expect("it says why");
    assert_eq!((goaway.kind, goaway.payload[8]), (GOAWAY, 1));
    assert_eq!(&goaway.payload[10..], b"a CHUNK with nothing in it");
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

/// Counts down when it is dropped.
struct Leaves(Arc<AtomicUsize>);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_calls_that_are_opened_and_cancelled_are_bounded() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (runs, top) = (Arc::clone(&running), Arc::clone(&most));
    let service = TestService::new().unary(move |request| {
        let (runs, top) = (Arc::clone(&runs), Arc::clone(&top));
        async move {
            if request.message() == "wait" {
                top.fetch_max(runs.fetch_add(1, SeqCst) + 1, SeqCst);
                let _leaves = Leaves(runs);
                std::future::pending::<()>().await;
            }
            Ok(Response::new(request.into_inner()))
        }
    });
    let pair = pair(service).await;
    let mut peer = Peer::on(&pair.address).await;
    let first = define("/test.Test/Unary", b"wait");
    peer.write(&frame(REQUEST, MESSAGE | END | DEFINE, 0, 0, 0, &first))
        .await;
    let mut batch = Vec::new();
    for n in 0..1_000_000u32 {
        let generation = (n + 1) as u16;
        batch.extend(frame(REQUEST, MESSAGE | END, n % 512, generation, 0, b"wait"));
        batch.extend(frame(CANCEL, 0, n % 512, generation, 0, b""));
        if batch.len() > 60_000 {
            peer.write(&batch).await;
            batch.clear();
        }
    }
    peer.write(&batch).await;
    peer.write(&frame(REQUEST, MESSAGE | END, 1, 0, 0, b"done")).await;
    let reply = peer.read().await.expect("the connection is served to its end");
    assert_eq!((reply.kind, reply.payload.as_slice()), (REPLY, &b"done"[..]));
    assert!(most.load(SeqCst) <= 1024, "{} calls at once", most.load(SeqCst));
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
    drop(peer);
    within(async {
        while running.load(SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_not_answered_for_ever() {
    let answers = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&answers);
    let service = TestService::new().unary(move |request| {
        let counts = Arc::clone(&counts);
        async move {
            if request.message() == "much" {
                counts.fetch_add(1, SeqCst);
                return Ok(Response::new(Bytes::from(vec![0; 100_000])));
            }
            Ok(Response::new(request.into_inner()))
        }
    });
    let pair = pair_with(
        service,
        |server| server.stall_timeout = std::time::Duration::from_millis(300),
        |_| (),
    )
    .await;
    let mut peer = Peer::on(&pair.address).await;
    let first = define("/test.Test/Unary", b"much");
    peer.write(&frame(REQUEST, MESSAGE | END | DEFINE, 0, 0, 0, &first))
        .await;
    let writes = async {
        // Until the server gives it up: it reads no more as long as it cannot write.
        for n in 1u32.. {
            let request = frame(REQUEST, MESSAGE | END, n % 512, n as u16, 0, b"much");
            if peer.0.write_all(&request).await.is_err() {
                return;
            }
        }
    };
    within(writes).await;
    let count = answers.load(SeqCst);
    assert!(count < 2000, "{count} answers were made that nobody reads");
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn no_version_in_common_is_said() {
    let pair = pair(TestService::new()).await;
    let mut peer = Peer::silent(&pair.address).await;
    peer.write(&preface(9, 7, &[])).await;
    peer.read_preface().await;
    let goaway = peer.read().await.expect("it says why");
    assert_eq!((goaway.kind, goaway.payload[8]), (GOAWAY, 3));
    assert_eq!(peer.read().await, None);
}

#[tokio::test]
async fn a_preface_that_is_malformed_is_said() {
    let pair = pair(TestService::new()).await;
    for broken in [preface(1, 2, &[]), preface(1, 1, &[1, 0, 4])] {
        let mut peer = Peer::silent(&pair.address).await;
        peer.write(&broken).await;
        peer.read_preface().await;
        let goaway = peer.read().await.expect("it says why");
        assert_eq!((goaway.kind, goaway.payload[8]), (GOAWAY, 1));
        assert_eq!(peer.read().await, None);
    }
}

#[tokio::test]
async fn frames_that_lead_to_nothing_are_bounded() {
    let idle = [
        frame(GOAWAY, 0, 0, 0, 0, &[0; 10]),
        frame(PONG, 0, 0, 0, 0, &[0; 8]),
        frame(CANCEL, 0, 0, 1, 0, &[]),
        frame(200, 0, 0, 0, 0, &[]),
    ];
    for frame in idle {
        is_sent_away(&frame.repeat(10_001), 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn credit_that_crosses_with_the_end_of_its_call_is_due() {
    const PIECES: usize = 64;
    const CALLS: u16 = 250;
    let answer = Bytes::from(vec![7; PIECES << 10]);
    let service = TestService::new().unary(move |_| std::future::ready(Ok(Response::new(answer.clone()))));
    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(service, ours, ServerConfig::default());
    let mut peer = Peer(theirs);
    // Plenty of credit, and pieces of 1 KiB.
    peer.greet(&[2, 0, 4, 0, 0, 0, 16, 0, 3, 0, 4, 0, 0, 4, 0, 0])
        .await;
    let mut flags = DEFINE;
    let mut request = define("/test.Test/Unary", b"");
    for generation in 0..CALLS {
        let flags = MESSAGE | END | std::mem::take(&mut flags);
        peer.write(&frame(REQUEST, flags, 0, generation, 0, &request))
            .await;
        request.clear();
        for piece in 0..PIECES {
            let answer = peer.read().await.expect("the connection lives");
            assert_eq!(answer.kind, if piece == 0 { REPLY } else { CHUNK });
        }
        let credit = frame(CREDIT, 0, 0, generation, 0, &1040_u32.to_le_bytes());
        peer.write(&credit.repeat(PIECES - 1)).await;
    }
    // What nothing was sent for is not.
    peer.write(&frame(CREDIT, 0, 0, 0, 0, &[0; 4]).repeat(10_001 + 16 * usize::from(CALLS)))
        .await;
    assert_eq!(peer.read().await.map(|frame| frame.kind), Some(GOAWAY));
}

#[tokio::test]
async fn uploads_that_are_refused_cost_their_connection_nothing() {
    let pair = pair(TestService::new()).await;
    let mut peer = Peer::on(&pair.address).await;
    let late = [&[0; 4][..], &define("/test.Test/Upload", b"")].concat();
    let mut bytes = Vec::new();
    for slot in 0..5 {
        bytes.extend(frame(REQUEST, DEADLINE | DEFINE, slot, 1, 0, &late));
        bytes.extend(frame(CHUNK, MESSAGE, slot, 1, 0, b"x").repeat(2500));
    }
    let unary = define("/test.Test/Unary", b"x");
    bytes.extend(frame(REQUEST, DEFINE | MESSAGE | END, 5, 1, 1, &unary));
    peer.write(&bytes).await;
    for slot in 0..6 {
        let answer = peer.read().await.expect("the connection lives");
        let kind = if slot < 5 { ERROR } else { REPLY };
        assert_eq!((answer.kind, answer.slot), (kind, slot));
    }
    // They are held to their credit, 256 KiB, all the same.
    let most = (256 << 10) / 17;
    peer.write(&frame(CHUNK, MESSAGE, 0, 1, 0, b"x").repeat(most - 2500 + 1))
        .await;
    assert_eq!(peer.read().await.map(|frame| frame.kind), Some(GOAWAY));
}
