//! Keepalive, pings of clients, idleness and age.

use std::time::Duration;

use bytes::Bytes;
use rpc_core::Response;
use tokio::time::Instant;

use super::{
    peer::{Peer, RawPeer, frame, header_block, kind, post, raw_frame, within},
    service::TestService,
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_asked_and_then_given_up() {
    let mut peer = RawPeer::new(TestService::new(), |config| {
        config.keepalive_interval = Some(10 * SECOND);
        config.keepalive_timeout = 2 * SECOND;
    })
    .await;
    for _ in 0..3 {
        let ping = peer.read_kind(kind::PING).await.expect("it asks");
        assert_eq!(ping.flags, 0);
        peer.write(&raw_frame(kind::PING, 1, 0, &ping.payload)).await;
    }
    peer.read_kind(kind::PING).await.expect("it asks again");
    // This time nobody answers.
    while peer.read().await.is_some() {}
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_pings_too_often_is_told_so() {
    let mut peer = RawPeer::new(TestService::new(), |_| {}).await;
    for _ in 0..4 {
        peer.write(&raw_frame(kind::PING, 0, 0, b"annoying")).await;
        tokio::time::sleep(SECOND).await;
    }
    let goaway = peer.read_kind(kind::GOAWAY).await.expect("it says why");
    let (_, reason, text) = goaway.goaway().expect("it is one");
    assert_eq!(
        (reason, &text[..]),
        (11, &b"too_many_pings"[..]),
        "ENHANCE_YOUR_CALM"
    );
    while peer.read().await.is_some() {}
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn pings_between_answers_are_no_offence() {
    let mut peer = RawPeer::new(TestService::new(), |_| {}).await;
    for n in 0..20 {
        peer.write(&raw_frame(kind::PING, 0, 0, b"probing!")).await;
        let stream = 2 * n + 1;
        peer.write(&raw_frame(kind::HEADERS, 4, stream, &header_block(&[])))
            .await;
        peer.write(&raw_frame(kind::DATA, 1, stream, &frame("x"))).await;
        peer.read_kind(kind::DATA).await.expect("it answers");
    }
    peer.assert_alive(101).await;
}

#[tokio::test(start_paused = true)]
async fn pings_may_be_permitted() {
    let mut peer = RawPeer::new(TestService::new(), |config| config.min_ping_interval = None).await;
    for _ in 0..100 {
        peer.write(&raw_frame(kind::PING, 0, 0, b"annoying")).await;
        assert_eq!(peer.read_kind(kind::PING).await.expect("it answers").flags, 1);
    }
    peer.assert_alive(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let service = TestService::new().unary(async |request| {
        tokio::time::sleep(30 * SECOND).await;
        Ok(Response::new(request.into_inner()))
    });
    let peer = Peer::with(service, |config| config.max_connection_idle = Some(10 * SECOND)).await;
    let answer = peer.call("/test.Test/Unary", "long").await;
    assert_eq!(answer.code(), 0);
    assert!(!peer.served.is_finished());
    within(peer.closed)
        .await
        .expect("it does not panic")
        .expect("a clean end");
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_calls_are_done_at_once_is_not_idle() {
    let peer = Peer::with(TestService::new(), |config| {
        config.max_connection_idle = Some(10 * SECOND);
    })
    .await;
    for _ in 0..5 {
        tokio::time::sleep(6 * SECOND).await;
        assert_eq!(peer.call("/test.Test/Unary", "short").await.code(), 0);
    }
    let last = Instant::now();
    within(peer.closed)
        .await
        .expect("it does not panic")
        .expect("a clean end");
    assert!(last.elapsed() >= 10 * SECOND, "{:?}", last.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_told_to_end_and_then_cut() {
    let service = TestService::new().unary(async |request| {
        let seconds = request.message().len() as u32;
        tokio::time::sleep(seconds * SECOND).await;
        Ok(Response::new(request.into_inner()))
    });
    let configure = |config: &mut rpc_grpc::ServerConfig| {
        config.max_connection_age = Some(20 * SECOND);
        config.max_connection_age_grace = Some(30 * SECOND);
    };
    let peer = Peer::with(service, configure).await;
    let (short, long) = (Bytes::from(vec![0; 40]), Bytes::from(vec![0; 200]));
    let begin = async |body: Bytes| {
        let mut call = peer.begin(post("/test.Test/Unary")).await;
        call.stream
            .send_data(frame(body), true)
            .expect("the stream is open");
        call
    };
    let (short, long) = (begin(short).await, begin(long).await);
    assert_eq!(short.answer().await.code(), 0, "within the grace");
    assert!(long.answer().await.error.is_some(), "beyond it");
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_begins_is_given_up() {
    for begin in [&b""[..], b"PRI * HTT"] {
        let mut peer = RawPeer::silent(TestService::new(), |_| {});
        peer.write(begin).await;
        let start = Instant::now();
        while peer.read().await.is_some() {}
        assert!(start.elapsed() >= 10 * SECOND, "{:?}", start.elapsed());
        within(peer.served).await.expect("it does not panic");
    }
}

#[tokio::test(start_paused = true)]
async fn a_preface_that_trickles_is_given_up() {
    let mut peer = RawPeer::silent(TestService::new(), |_| {});
    for byte in super::peer::PREFACE {
        peer.try_write(&[*byte]).await;
        tokio::time::sleep(SECOND).await;
    }
    while peer.read().await.is_some() {}
    within(peer.served).await.expect("it does not panic");
}
