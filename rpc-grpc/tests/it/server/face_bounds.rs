//! What bounds calls behind layers of HTTP: their deadlines, and the end of streams when the server stops.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rpc_core::{
    Body, Call, Code, Context, Deadline, Response, Streaming, message::Encoded, transport::DrainPhase,
};
use rpc_grpc::{GrpcServer, HttpBody, HttpService};
use tokio::time::Instant;
use tower::{Service, layer::layer_fn};
use tower_http::trace::TraceLayer;

use super::{
    face::plain,
    linked::linked,
    peer::{Answer, Peer, frame, post, with_header, within},
    service::{Counter, Dropped, TYPES, TestService},
};

#[tokio::test(start_paused = true)]
async fn deadlines_hold_behind_layers() {
    let dropped = Dropped::default();
    let guard = dropped.clone();
    let service = TestService::new()
        .unary(move |_| {
            let guard = guard.guard();
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .download(async |_| {
            let (sender, stream) = Streaming::channel(1);
            tokio::spawn(async move {
                while sender.send(Bytes::from_static(b"tick")).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            });
            Ok(Response::new(stream))
        });
    let peer = Peer::of(&plain().with_http_layer(TraceLayer::new_for_grpc()), service).await;
    let unary = peer
        .request(
            with_header(post("/test.Test/Unary"), "grpc-timeout", "100m"),
            frame("x"),
        )
        .await;
    assert_eq!(unary.code(), Code::DeadlineExceeded as u32);
    assert!(dropped.happened());
    let download = peer
        .request(
            with_header(post("/test.Test/Download"), "grpc-timeout", "250m"),
            frame("x"),
        )
        .await;
    assert_eq!(
        (download.messages().len(), download.code()),
        (3, Code::DeadlineExceeded as u32)
    );
}

/// Holds requests for a while before they go on, and answers before they go back.
fn holding(before: Duration, after: Duration) -> GrpcServer {
    plain().with_http_layer(layer_fn(move |inner: HttpService| {
        tower::service_fn(move |request: Request<HttpBody>| {
            let mut inner = inner.clone();
            async move {
                tokio::time::sleep(before).await;
                let answer = inner.call(request).await;
                tokio::time::sleep(after).await;
                answer
            }
        })
    }))
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_layer_takes_is_the_calls() {
    const SECOND: Duration = Duration::from_secs(1);
    let begun = Counter::default();
    let counted = begun.clone();
    let answer = async |before, after| {
        let counted = counted.clone();
        let service = TestService::new().unary(move |_| {
            counted.add();
            let left = Context::current().deadline().map(Deadline::remaining);
            async move { Ok(Response::new(format!("{left:?}").into())) }
        });
        let peer = Peer::of(&holding(before, after), service).await;
        let request = with_header(post("/test.Test/Unary"), "grpc-timeout", "3S");
        let start = Instant::now();
        let answer = peer.request(request, frame("x")).await;
        (answer, start.elapsed().as_secs())
    };
    let (in_time, _) = answer(SECOND, SECOND).await;
    assert_eq!(in_time.messages(), ["Some(2s)"]);
    let (late, took) = answer(Duration::ZERO, 4 * SECOND).await;
    assert_eq!((late.code(), took), (Code::DeadlineExceeded as u32, 3));
    assert_eq!(begun.get(), 2);
    let (late, took) = answer(4 * SECOND, Duration::ZERO).await;
    assert_eq!((late.code(), took), (Code::DeadlineExceeded as u32, 3));
    assert_eq!(begun.get(), 2, "it was not begun");
}

/// Who answers in place of gRPC does not know the codec.
#[tokio::test(start_paused = true)]
async fn the_time_that_a_layer_takes_is_the_calls_in_any_codec() {
    let server = holding(Duration::from_secs(4), Duration::ZERO);
    let (linked, link) = linked(server, TestService::new(), |_| {});
    let message = Body::Encoded(Encoded { bytes: "x".into() });
    let mut call = Call::new(TYPES[0].method(), "json", message);
    call.context = call
        .context
        .with_deadline(Deadline::after(Duration::from_secs(3)));
    let status = within(link.call(&mut call)).await.expect_err("it is late");
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert_eq!(linked.dials(), 1);
}

/// A download without end, whose caller has stopped to read.
fn endless(dropped: &Dropped) -> TestService {
    let dropped = dropped.clone();
    TestService::new().download(move |_| {
        let guard = dropped.guard();
        let messages = std::iter::repeat_with(move || {
            let _guard = &guard;
            Bytes::from(vec![0; 1000])
        });
        async move { Ok(Response::new(Streaming::from_iter(messages))) }
    })
}

#[tokio::test(start_paused = true)]
async fn deadlines_hold_behind_layers_for_who_does_not_read() {
    let dropped = Dropped::default();
    let server = plain().with_http_layer(TraceLayer::new_for_grpc());
    let peer = Peer::of(&server, endless(&dropped)).await;
    let request = with_header(post("/test.Test/Download"), "grpc-timeout", "250m");
    let call = peer.ask(request).await;
    let response = within(call.response).await.expect("it begins");
    within(dropped.wait()).await;
    let answer = Answer::rest(response).await;
    assert_eq!(answer.code(), Code::DeadlineExceeded as u32);
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_a_late_call_is_taken_away_from_who_does_not_read() {
    for server in [plain(), plain().with_http_layer(TraceLayer::new_for_grpc())] {
        let dropped = Dropped::default();
        let mut builder = h2::client::Builder::new();
        // Less than is handed to h2 at once.
        builder.initial_window_size(1000);
        let peer = Peer::built(&server, endless(&dropped), &builder).await;
        let request = with_header(post("/test.Test/Download"), "grpc-timeout", "250m");
        let call = peer.ask(request).await;
        let response = within(call.response).await.expect("it begins");
        within(dropped.wait()).await;
        // The peer has read no byte of the end that it was told.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let error = Answer::rest(response).await.error.expect("it is broken off");
        assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
        peer.assert_alive().await;
    }
}

#[tokio::test(start_paused = true)]
async fn streams_end_behind_layers_when_the_server_stops_and_nobody_reads() {
    let dropped = Dropped::default();
    let server = plain().with_http_layer(TraceLayer::new_for_grpc());
    let peer = Peer::of(&server, endless(&dropped)).await;
    let call = peer.ask(post("/test.Test/Download")).await;
    let response = within(call.response).await.expect("it begins");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!dropped.happened());
    peer.drain.advance(DrainPhase::EndingStreams);
    within(dropped.wait()).await;
    let answer = Answer::rest(response).await;
    assert_eq!(answer.code(), Code::Unavailable as u32);
    within(peer.served).await.expect("it does not panic");
}

/// It is no stream, however long its answer takes.
#[tokio::test(start_paused = true)]
async fn a_large_answer_behind_layers_is_sent_to_its_end_while_streams_end() {
    let server = plain().with_http_layer(TraceLayer::new_for_grpc());
    let large = Bytes::from(vec![7; 1 << 20]);
    let answer = large.clone();
    let service = TestService::new().unary(move |_| {
        let answer = answer.clone();
        async move { Ok(Response::new(answer)) }
    });
    let peer = Peer::of(&server, service).await;
    let call = peer.ask(post("/test.Test/Unary")).await;
    let response = within(call.response).await.expect("it begins");
    peer.drain.advance(DrainPhase::EndingStreams);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = Answer::rest(response).await;
    assert_eq!((answer.code(), answer.messages()), (0, vec![large]));
}

#[tokio::test]
async fn streams_end_behind_layers_when_the_server_stops() {
    let service = TestService::new().download(async |_| {
        let (sender, stream) = Streaming::channel(1);
        tokio::spawn(async move {
            sender
                .send(Bytes::from_static(b"first"))
                .await
                .expect("it is read");
            sender.closed().await;
        });
        Ok(Response::new(stream))
    });
    let peer = Peer::of(&plain().with_http_layer(TraceLayer::new_for_grpc()), service).await;
    let call = peer.ask(post("/test.Test/Download")).await;
    let response = within(call.response).await.expect("it begins");
    peer.drain.advance(DrainPhase::EndingStreams);
    let answer = Answer::rest(response).await;
    assert_eq!(
        (answer.messages().len(), answer.code()),
        (1, Code::Unavailable as u32)
    );
    within(peer.served).await.expect("it does not panic");
}
