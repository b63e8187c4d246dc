//! The server's stop, phase by phase, as a connection sees it.

use std::time::Duration;

use bytes::Bytes;
use rpc_core::{Code, Response, Streaming, transport::DrainPhase};
use rpc_grpc::ServerConfig;
use tokio::sync::Semaphore;

use super::{
    peer::{Peer, RawPeer, Shared, frame, header_block, kind, post, raw_frame, within},
    service::{Dropped, TestService},
};

/// Unary calls wait for permission; streams never end.
fn held(permits: &Shared<Semaphore>) -> TestService {
    let permits = Shared::clone(permits);
    TestService::new()
        .unary(move |request| {
            let permits = Shared::clone(&permits);
            async move {
                permits.acquire().await.expect("it is never closed").forget();
                Ok(Response::new(request.into_inner()))
            }
        })
        .download(async |_| {
            let (sender, stream) = Streaming::channel(1);
            rpc_core::context::spawn(async move {
                sender
                    .send(Bytes::from_static(b"first"))
                    .await
                    .expect("it is read");
                std::future::pending::<()>().await;
                drop(sender);
            });
            Ok(Response::new(stream))
        })
}

#[tokio::test]
async fn an_idle_connection_ends_at_once() {
    let peer = Peer::new(TestService::new()).await;
    peer.assert_alive().await;
    peer.drain.advance(DrainPhase::Draining);
    within(peer.served).await.expect("it does not panic");
    within(peer.closed)
        .await
        .expect("it does not panic")
        .expect("a clean end");
}

#[tokio::test]
async fn a_connection_that_never_spoke_does_not_hold_up_the_stop() {
    let mut peer = RawPeer::silent(TestService::new(), |_| {});
    // Our settings are there, so it waits for the preface.
    peer.read_kind(kind::SETTINGS).await.expect("it begins");
    peer.drain.advance(DrainPhase::Draining);
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test]
async fn running_calls_go_on_and_new_ones_are_told_to_go_elsewhere() {
    let permits = Shared::new(Semaphore::new(0));
    let peer = Peer::new(held(&permits)).await;
    let mut call = peer.begin(post("/test.Test/Unary")).await;
    call.stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    peer.call("/test.Test/Nothing", "").await;
    peer.drain.advance(DrainPhase::Draining);
    // The client knows once it has the second GOAWAY; then nothing new gets through.
    let mut send = peer.send.clone();
    let error = loop {
        match within(send.clone().ready()).await {
            Ok(_) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(error.is_go_away(), "{error}");
    assert!(send.send_request(post("/test.Test/Unary"), true).is_err());
    permits.add_permits(1);
    let answer = call.answer().await;
    assert_eq!(
        (answer.code(), answer.messages()),
        (0, vec![Bytes::from_static(b"x")])
    );
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test]
async fn goaway_comes_in_two_steps_and_what_crosses_it_is_served() {
    let permits = Shared::new(Semaphore::new(0));
    let mut peer = RawPeer::new(held(&permits), |_| {}).await.settled().await;
    peer.write(&raw_frame(kind::HEADERS, 4, 1, &header_block(&[])))
        .await;
    peer.write(&raw_frame(kind::DATA, 1, 1, &frame("one"))).await;
    peer.drain.advance(DrainPhase::Draining);
    let first = peer.read_kind(kind::GOAWAY).await.expect("the first step");
    assert_eq!(first.goaway(), Some((0x7fff_ffff, 0, Bytes::new())));
    let ping = peer.read_kind(kind::PING).await.expect("the question");
    // A call that crosses it.
    peer.write(&raw_frame(kind::HEADERS, 4, 3, &header_block(&[])))
        .await;
    peer.write(&raw_frame(kind::DATA, 1, 3, &frame("two"))).await;
    peer.write(&raw_frame(kind::PING, 1, 0, &ping.payload)).await;
    let last = peer.read_kind(kind::GOAWAY).await.expect("the second step");
    assert_eq!(last.goaway(), Some((3, 0, Bytes::new())));
    permits.add_permits(2);
    let mut answered = Vec::new();
    while let Some(frame) = peer.read().await {
        if frame.kind == kind::DATA {
            answered.push(frame.stream);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 3]);
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_answer_the_first_goaway_has_five_seconds() {
    let permits = Shared::new(Semaphore::new(0));
    let mut peer = RawPeer::new(held(&permits), |_| {}).await.settled().await;
    peer.write(&raw_frame(kind::HEADERS, 4, 1, &header_block(&[])))
        .await;
    peer.write(&raw_frame(kind::DATA, 1, 1, &frame("one"))).await;
    peer.drain.advance(DrainPhase::Draining);
    peer.read_kind(kind::GOAWAY).await.expect("the first step");
    peer.read_kind(kind::PING)
        .await
        .expect("the question, which it leaves open");
    tokio::time::sleep(Duration::from_secs(6)).await;
    peer.write(&raw_frame(kind::HEADERS, 5, 3, &header_block(&[])))
        .await;
    let reset = peer.read_kind(kind::RST_STREAM).await.expect("it is refused");
    assert_eq!(
        (reset.stream, &reset.payload[..]),
        (3, &[0, 0, 0, 7][..]),
        "REFUSED_STREAM: not processed"
    );
    permits.add_permits(1);
    let data = peer.read_kind(kind::DATA).await.expect("what ran before goes on");
    assert_eq!(data.stream, 1);
    while peer.read().await.is_some() {}
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_under_way_is_sent_to_its_end() {
    let service = TestService::new().unary(async |_| Ok(Response::new(vec![7; 50_000].into())));
    let mut peer = RawPeer::narrow(service, |_| {}).await.settled().await;
    peer.write(&raw_frame(kind::HEADERS, 4, 1, &header_block(&[])))
        .await;
    peer.write(&raw_frame(kind::DATA, 1, 1, &frame("x"))).await;
    peer.drain.advance(DrainPhase::Draining);
    // It reads nothing, and so answers no GOAWAY either.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let (mut received, mut ended) = (0, false);
    while let Some(frame) = peer.read().await {
        match frame.kind {
            kind::DATA => received += frame.payload.len(),
            kind::HEADERS => ended = frame.flags & 1 == 1,
            _ => {}
        }
    }
    assert_eq!((received, ended), (5 + 50_000, true));
    within(peer.served).await.expect("it does not panic");
}

/// It is read from no more, so its answer to a ping would not be seen.
#[tokio::test(start_paused = true)]
async fn answers_that_are_taken_slowly_are_sent_to_their_end() {
    let mut peer = answered(|config| {
        config.keepalive_interval = Some(Duration::from_secs(4));
        config.keepalive_timeout = Duration::from_secs(3);
    })
    .await;
    peer.drain.advance(DrainPhase::Draining);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let mut received = 0;
    while let Some(frame) = peer.read().await {
        if frame.kind == kind::DATA {
            received += frame.payload.len();
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
    assert_eq!(received, 5 * (5 + 12_000));
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_no_more_of_its_answers_is_left() {
    let peer = answered(|config| config.max_connection_idle = Some(Duration::from_secs(10))).await;
    within(peer.served).await.expect("it does not panic");
}

/// A peer that has taken next to nothing of the answers to five calls, which are written as far as HTTP/2 is concerned.
async fn answered(configure: impl FnOnce(&mut ServerConfig)) -> RawPeer {
    let service = TestService::new().unary(async |_| Ok(Response::new(vec![7; 12_000].into())));
    let mut peer = RawPeer::narrow(service, configure).await.settled().await;
    for stream in [1, 3, 5, 7, 9] {
        peer.write(&raw_frame(kind::HEADERS, 4, stream, &header_block(&[])))
            .await;
        peer.write(&raw_frame(kind::DATA, 1, stream, &frame("x"))).await;
    }
    peer
}

#[tokio::test]
async fn streams_are_ended_and_unary_calls_go_on() {
    let permits = Shared::new(Semaphore::new(0));
    let peer = Peer::new(held(&permits)).await;
    let mut unary = peer.begin(post("/test.Test/Unary")).await;
    unary
        .stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    let mut download = peer.begin(post("/test.Test/Download")).await;
    download
        .stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    let mut upload = peer.begin(post("/test.Test/Upload")).await;
    upload
        .stream
        .send_data(frame("x"), false)
        .expect("the stream is open");
    let body = within(download.response).await.expect("it begins");
    peer.drain.advance(DrainPhase::EndingStreams);
    let download = super::peer::Answer::rest(body).await;
    assert_eq!(download.messages(), ["first"]);
    assert_eq!(download.code(), Code::Unavailable as u32);
    let upload = upload.answer().await;
    assert_eq!(upload.code(), Code::Unavailable as u32);
    permits.add_permits(1);
    assert_eq!(unary.answer().await.code(), 0);
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test]
async fn cancelling_drops_everything() {
    let dropped = Dropped::default();
    let guard = dropped.clone();
    let service = TestService::new().unary(move |_| {
        let guard = guard.guard();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let peer = Peer::new(service).await;
    let mut call = peer.begin(post("/test.Test/Unary")).await;
    call.stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    peer.call("/test.Test/Nothing", "").await;
    peer.drain.advance(DrainPhase::Cancelling);
    assert!(call.answer().await.error.is_some());
    within(dropped.wait()).await;
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test]
async fn a_server_that_is_gone_takes_its_connections_along() {
    let peer = Peer::new(TestService::new()).await;
    peer.assert_alive().await;
    drop(peer.drain);
    within(peer.served).await.expect("it does not panic");
}
