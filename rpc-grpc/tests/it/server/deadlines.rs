//! Deadlines: on arrival, while a handler works, while a body streams.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{Code, Context, Deadline, Response, Streaming};
use tokio::time::Instant;

use super::{
    peer::{Peer, frame, post, with_header, within},
    service::{Dropped, TestService},
};

fn within_ms(path: &str, ms: u32) -> http::Request<()> {
    with_header(post(path), "grpc-timeout", &format!("{ms}m"))
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_too_slow_is_dropped() {
    let dropped = Dropped::default();
    let guard = dropped.clone();
    let service = TestService::new().unary(move |request| {
        let guard = guard.guard();
        async move {
            let _guard = guard;
            tokio::time::sleep(Duration::from_hours(1)).await;
            Ok(Response::new(request.into_inner()))
        }
    });
    let peer = Peer::new(service).await;
    let start = Instant::now();
    let answer = peer.request(within_ms("/test.Test/Unary", 250), frame("x")).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded as u32);
    assert!(answer.is_trailers_only());
    let took = start.elapsed();
    assert!(
        (Duration::from_millis(250)..Duration::from_millis(260)).contains(&took),
        "{took:?}"
    );
    assert!(dropped.happened());
}

#[tokio::test(start_paused = true)]
async fn deadlines_of_many_calls_are_each_their_own() {
    let service = TestService::new().unary(async |_| std::future::pending().await);
    let peer = Arc::new(Peer::new(service).await);
    let start = Instant::now();
    // In an order that is not that of the deadlines.
    let calls = [70, 10, 500, 20, 300, 40, 40, 5].map(|ms| {
        let peer = Arc::clone(&peer);
        tokio::spawn(async move {
            let answer = peer.request(within_ms("/test.Test/Unary", ms), frame("x")).await;
            (ms, answer.code(), start.elapsed().as_millis() as u32)
        })
    });
    for call in calls {
        let (ms, code, took) = within(call).await.expect("it does not panic");
        assert_eq!(code, Code::DeadlineExceeded as u32);
        assert!((ms..=ms + 10).contains(&took), "{ms} ms took {took}");
    }
}

#[tokio::test]
async fn a_call_that_is_too_late_on_arrival_is_not_run() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let service = TestService::new().unary(move |request| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { Ok(Response::new(request.into_inner())) }
    });
    let peer = Peer::new(service).await;
    let answer = peer
        .request(
            with_header(post("/test.Test/Unary"), "grpc-timeout", "0n"),
            frame("x"),
        )
        .await;
    assert_eq!(answer.code(), Code::DeadlineExceeded as u32);
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    peer.assert_alive().await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_the_body() {
    let service = TestService::new().download(async |_| {
        let (sender, stream) = Streaming::channel(1);
        tokio::spawn(async move {
            while sender.send(Bytes::from_static(b"tick")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Ok(Response::new(stream))
    });
    let peer = Peer::new(service).await;
    let answer = peer
        .request(within_ms("/test.Test/Download", 350), frame("x"))
        .await;
    assert_eq!(answer.messages().len(), 4);
    assert_eq!(answer.code(), Code::DeadlineExceeded as u32);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_a_request_that_does_not_end() {
    let peer = Peer::new(TestService::new()).await;
    let mut call = peer.begin(within_ms("/test.Test/Upload", 100)).await;
    call.stream
        .send_data(frame("only one"), false)
        .expect("the stream is open");
    let answer = call.answer().await;
    assert_eq!(answer.code(), Code::DeadlineExceeded as u32);
}

#[tokio::test(start_paused = true)]
async fn work_that_a_handler_started_is_given_up_with_it() {
    let dropped = Dropped::default();
    let guard = dropped.clone();
    let service = TestService::new().unary(move |_| {
        let guard = guard.guard();
        async move {
            rpc_core::context::spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            std::future::pending().await
        }
    });
    let peer = Peer::new(service).await;
    let answer = peer.request(within_ms("/test.Test/Unary", 100), frame("x")).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded as u32);
    within(dropped.wait()).await;
}

#[tokio::test(start_paused = true)]
async fn a_handler_sees_what_is_left() {
    let service = TestService::new().unary(async |_| {
        let left = Context::current().deadline().map(Deadline::remaining);
        Ok(Response::new(format!("{left:?}").into()))
    });
    let peer = Peer::new(service).await;
    let answer = peer.request(within_ms("/test.Test/Unary", 5000), frame("")).await;
    assert_eq!(answer.messages(), ["Some(5s)"]);
}
