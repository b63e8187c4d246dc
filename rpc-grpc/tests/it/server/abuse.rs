//! Floods. Memory stays bounded because h2 and the writer wait for the peer or give it up; what is checked here is that
//! nothing panics, that one ends as it should, and that other connections go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::Reason;
use rpc_core::{Request, Response, Streaming};

use super::{
    peer::{Answer, PATIENCE, Peer, RawPeer, frame, header_block, kind, post, raw_frame, send_all, within},
    service::{Counter, TestService},
};

/// Writes again and again, while the answers are read and thrown away, until the server hangs up or all is written.
/// Returns true if it hung up.
async fn flood(mut peer: RawPeer, mut piece: impl FnMut(u32) -> Vec<u8>, count: u32) -> (bool, Option<u32>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut read, mut write) = tokio::io::split(peer.io);
    let reader = tokio::spawn(async move {
        let mut bytes = Vec::new();
        let _ = read.read_to_end(&mut bytes).await;
        bytes
    });
    let mut hung_up = false;
    for n in 0..count {
        if within(write.write_all(&piece(n))).await.is_err() {
            hung_up = true;
            break;
        }
    }
    drop(write.shutdown().await);
    let bytes = within(reader).await.expect("it does not panic");
    within(&mut peer.served).await.expect("it does not panic");
    (hung_up, goaway_reason(&bytes))
}

/// The reason of the first GOAWAY that has one.
fn goaway_reason(mut bytes: &[u8]) -> Option<u32> {
    while bytes.len() >= 9 {
        let len = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        let payload = bytes.get(9..9 + len)?;
        if bytes[3] == kind::GOAWAY {
            let reason = u32::from_be_bytes(payload[4..8].try_into().expect("four"));
            if reason != 0 {
                return Some(reason);
            }
        }
        bytes = &bytes[9 + len..];
    }
    None
}

const ENHANCE_YOUR_CALM: Option<u32> = Some(11);

#[tokio::test]
async fn a_thousand_calls_dropped_at_once_are_no_attack() {
    let peer = Peer::new(TestService::new()).await;
    let mut calls = Vec::new();
    for _ in 0..200 {
        let mut call = peer.begin(post("/test.Test/Upload")).await;
        call.stream
            .send_data(frame("x"), false)
            .expect("the stream is open");
        calls.push(call);
    }
    for call in &mut calls {
        call.stream.send_reset(Reason::CANCEL);
    }
    drop(calls);
    for _ in 0..800 {
        let mut call = peer.begin(post("/test.Test/Upload")).await;
        call.stream.send_reset(Reason::CANCEL);
    }
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_rapid_reset_ends_the_connection_or_is_borne() {
    let peer = RawPeer::new(TestService::new(), |config| config.max_pending_resets = 20).await;
    let block = header_block(&[]);
    let piece = |n: u32| {
        let mut bytes = Vec::new();
        for k in 0..200 {
            let stream = 2 * (200 * n + k) + 1;
            bytes.extend(raw_frame(kind::HEADERS, 4, stream, &block));
            bytes.extend(raw_frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]));
        }
        bytes
    };
    let (_, reason) = flood(peer, piece, 100).await;
    assert_eq!(reason, ENHANCE_YOUR_CALM);
}

/// The peer has the server reset the calls: to h2 they are over, and others may come.
#[tokio::test(start_paused = true)]
async fn calls_that_the_peer_has_reset_by_mistakes_do_not_pile_up() {
    let (begun, running) = (Counter::default(), Arc::<AtomicUsize>::default());
    let (counted, now) = (begun.clone(), Arc::clone(&running));
    let service = TestService::new().unary(move |_| {
        counted.add();
        let guard = Runs::new(&now);
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let mut peer = RawPeer::new(service, |config| config.max_concurrent_streams = 10)
        .await
        .settled()
        .await;
    peer.write(&raw_frame(kind::SETTINGS, 1, 0, &[])).await;
    let block = header_block(&[]);
    for n in 0..3_000 {
        let stream = 2 * n + 1;
        peer.write(&raw_frame(kind::HEADERS, 4, stream, &block)).await;
        peer.write(&raw_frame(kind::DATA, 1, stream, &frame("x"))).await;
        while begun.get() <= n as usize {
            tokio::task::yield_now().await;
        }
        // More than a window can be.
        let overflow = 0x7fff_ffffu32.to_be_bytes();
        peer.write(&raw_frame(kind::WINDOW_UPDATE, 0, stream, &overflow))
            .await;
        peer.read_kind(kind::RST_STREAM)
            .await
            .expect("the connection lives");
        assert!(running.load(SeqCst) <= 20, "{} of {n}", running.load(SeqCst));
    }
}

/// Counts what exists.
struct Runs(Arc<AtomicUsize>);

impl Runs {
    fn new(running: &Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, SeqCst);
        Self(Arc::clone(running))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A peer that streams records of a few bytes, each in a frame of its own, until there is no more room for them.
#[tokio::test(start_paused = true)]
async fn small_records_that_are_read_slowly_are_held_back_and_no_attack() {
    let service = TestService::new().upload(async |request: Request<Streaming<Bytes>>| {
        let mut stream = request.into_inner();
        let mut count = 0;
        // Until nothing goes on by itself.
        tokio::time::sleep(Duration::from_secs(1)).await;
        while let Some(message) = stream.message().await? {
            assert_eq!(message.len(), 15);
            count += 1;
            if count % 1000 == 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(Response::new(count.to_string().into()))
    });
    let peer = Peer::with(service, |config| config.stream_window_bytes = 2 << 20).await;
    let mut call = peer.begin(post("/test.Test/Upload")).await;
    let record = frame([7; 15]);
    for _ in 0..110_000 {
        assert_eq!(record.len(), 20);
        send_all(&mut call.stream, record.clone(), false)
            .await
            .expect("the server reads");
    }
    call.stream.send_data(Bytes::new(), true).expect("it is open");
    let answer = Answer::of(call.response).await;
    assert_eq!(
        (answer.code(), answer.messages()),
        (0, vec![Bytes::from("110000")])
    );
    peer.assert_alive().await;
}

/// More than one turn reads of it, at the least window.
#[tokio::test(start_paused = true)]
async fn a_small_window_full_of_frames_of_a_byte_is_no_attack() {
    const LEAST: u32 = 65_535;
    let mut peer = RawPeer::new(TestService::new(), |config| {
        config.connection_window_bytes = LEAST;
        config.stream_window_bytes = LEAST;
    })
    .await
    .settled()
    .await;
    let message = frame(vec![7; LEAST as usize - 5]);
    let mut bytes = raw_frame(kind::HEADERS, 4, 1, &header_block(&[]));
    let (last, rest) = message.split_last().expect("it is not empty");
    for byte in rest {
        bytes.extend(raw_frame(kind::DATA, 0, 1, &[*byte]));
    }
    bytes.extend(raw_frame(kind::DATA, 1, 1, &[*last]));
    peer.write(&bytes).await;
    let data = peer.read_kind(kind::DATA).await.expect("it answers");
    assert_eq!(data.stream, 1);
}

/// Calls that are answered before their end, while as much of them as there is room for is on its way.
#[tokio::test(start_paused = true)]
async fn small_records_that_are_not_read_any_more_are_no_attack() {
    let mut peer = RawPeer::new(TestService::new(), |_| {}).await.settled().await;
    let block = header_block(&[("grpc-encoding", "unknown")]);
    for stream in [1, 3, 5] {
        peer.write(&raw_frame(kind::HEADERS, 4, stream, &block)).await;
        peer.read_kind(kind::HEADERS).await.expect("it is answered");
        let records = raw_frame(kind::DATA, 0, stream, &frame([7; 15])).repeat(1000);
        for _ in 0..50 {
            peer.write(&records).await;
        }
    }
    peer.assert_alive(7).await;
}

#[tokio::test]
async fn pings_are_not_answered_without_end() {
    let peer = RawPeer::new(TestService::new(), |_| {}).await;
    let (_, reason) = flood(
        peer,
        |_| raw_frame(kind::PING, 0, 0, b"flooding").repeat(100),
        1000,
    )
    .await;
    assert_eq!(reason, ENHANCE_YOUR_CALM);
}

#[tokio::test]
async fn settings_are_borne() {
    let peer = RawPeer::new(TestService::new(), |_| {}).await;
    let (hung_up, reason) = flood(peer, |_| raw_frame(kind::SETTINGS, 0, 0, &[]).repeat(100), 1000).await;
    // h2 acknowledges each before it reads the next: a flood of them is as fast as its sender reads.
    assert!(!hung_up || reason.is_some());
}

#[tokio::test]
async fn a_peer_that_floods_and_does_not_read_is_not_buffered_for() {
    use tokio::io::{AsyncWrite as _, AsyncWriteExt};
    let mut peer = RawPeer::new(TestService::new(), |config| config.min_ping_interval = None).await;
    let pings = raw_frame(kind::PING, 0, 0, b"flooding").repeat(1000);
    let (mut written, mut stalled) = (0usize, false);
    // Both pipes and the gathered answers hold a few MiB; then the server does not read any more.
    while written < 64 << 20 {
        let wrote = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut peer.io).poll_write(cx, &pings) {
                std::task::Poll::Ready(wrote) => wrote.expect("it is open"),
                std::task::Poll::Pending => 0,
            })
        });
        match wrote.await {
            0 => {
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                }
                if written == 0 || stalled {
                    break;
                }
                stalled = true;
            }
            count => {
                written += count;
                stalled = false;
            }
        }
    }
    assert!(
        written < 16 << 20,
        "{written} bytes were taken although nobody reads the answers"
    );
    // Once it reads, all goes on.
    let _ = peer.io.flush().await;
    let pong = peer.read_kind(kind::PING).await.expect("the connection lives");
    assert_eq!(pong.flags, 1);
}

#[tokio::test]
async fn continuation_without_end_is_cut() {
    let peer = RawPeer::new(TestService::new(), |_| {}).await;
    let piece = |n: u32| match n {
        // No END_HEADERS.
        0 => raw_frame(kind::HEADERS, 0, 1, &header_block(&[])),
        _ => raw_frame(kind::CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b'].repeat(100)),
    };
    let (_, reason) = flood(peer, piece, 100_000).await;
    assert_eq!(reason, ENHANCE_YOUR_CALM);
}

#[tokio::test]
async fn empty_data_without_end_is_cut() {
    let peer = RawPeer::new(TestService::new(), |_| {}).await;
    let piece = |n: u32| match n {
        0 => raw_frame(kind::HEADERS, 4, 1, &header_block(&[])),
        _ => raw_frame(kind::DATA, 0, 1, &[]).repeat(100),
    };
    let (_, reason) = flood(peer, piece, 10_000).await;
    assert_eq!(reason, ENHANCE_YOUR_CALM);
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    let mut peer = RawPeer::new(
        TestService::new().unary(async |_| std::future::pending().await),
        |config| config.max_concurrent_streams = 3,
    )
    .await;
    // Our limit counts once the peer has acknowledged it; the peer's settings need none.
    peer.read_kind(kind::SETTINGS).await.expect("it begins");
    peer.write(&raw_frame(kind::SETTINGS, 1, 0, &[])).await;
    for n in 0..4 {
        let stream = 2 * n + 1;
        peer.write(&raw_frame(kind::HEADERS, 4, stream, &header_block(&[])))
            .await;
        peer.write(&raw_frame(kind::DATA, 1, stream, &frame("x"))).await;
    }
    let reset = peer
        .read_kind(kind::RST_STREAM)
        .await
        .expect("the connection lives");
    assert_eq!(
        (reset.stream, &reset.payload[..]),
        (7, &[0, 0, 0, 7][..]),
        "REFUSED_STREAM"
    );
}

#[tokio::test]
async fn one_peer_does_not_disturb_another() {
    let good = Peer::new(TestService::new()).await;
    let half_open: Vec<_> = (0..200)
        .map(|_| RawPeer::silent(TestService::new(), |_| {}))
        .collect();
    let bad = RawPeer::new(TestService::new(), |_| {}).await;
    let flooding = tokio::spawn(flood(
        bad,
        |_| raw_frame(kind::PING, 0, 0, b"flooding").repeat(1000),
        1000,
    ));
    for _ in 0..50 {
        tokio::time::timeout(PATIENCE, good.assert_alive())
            .await
            .expect("it hangs");
    }
    within(flooding).await.expect("it does not panic");
    drop(half_open);
}

#[tokio::test]
async fn window_updates_that_overflow_fail_their_stream_or_connection() {
    let mut peer = RawPeer::new(TestService::new(), |_| {}).await;
    peer.write(&raw_frame(
        kind::WINDOW_UPDATE,
        0,
        0,
        &0x7fff_ffffu32.to_be_bytes(),
    ))
    .await;
    let goaway = peer.read_kind(kind::GOAWAY).await.expect("it says why");
    assert_eq!(goaway.goaway().expect("it is one").1, 3, "FLOW_CONTROL_ERROR");
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test]
async fn a_body_that_lies_about_its_length_fails_its_stream() {
    let mut peer = RawPeer::new(TestService::new(), |_| {}).await;
    peer.write(&raw_frame(
        kind::HEADERS,
        4,
        1,
        &header_block(&[("content-length", "3")]),
    ))
    .await;
    peer.write(&raw_frame(kind::DATA, 1, 1, &frame("more than three")))
        .await;
    let reset = peer
        .read_kind(kind::RST_STREAM)
        .await
        .expect("the connection lives");
    assert_eq!(reset.stream, 1);
    peer.assert_alive(3).await;
}
