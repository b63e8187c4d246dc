//! Callers that go away.

use bytes::Bytes;
use h2::Reason;
use rpc_core::{Code, Response, Streaming};
use tokio::sync::mpsc;

use super::{
    peer::{Peer, frame, post, within},
    service::{Dropped, TestService},
};

fn waits_for_ever(dropped: &Dropped) -> TestService {
    let (unary, download) = (dropped.clone(), dropped.clone());
    TestService::new()
        .unary(move |_| {
            let guard = unary.guard();
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        })
        .download(move |_| {
            let guard = download.guard();
            async move {
                let (sender, stream) = Streaming::channel(1);
                rpc_core::context::spawn(async move {
                    let _guard = guard;
                    sender
                        .send(Bytes::from_static(b"first"))
                        .await
                        .expect("it is read");
                    std::future::pending::<()>().await;
                });
                Ok(Response::new(stream))
            }
        })
}

#[tokio::test]
async fn a_reset_drops_the_handler() {
    let dropped = Dropped::default();
    let peer = Peer::new(waits_for_ever(&dropped)).await;
    let mut call = peer.begin(post("/test.Test/Unary")).await;
    call.stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    // The second call is answered after the first was begun.
    peer.call("/test.Test/Nothing", "").await;
    assert!(!dropped.happened());
    call.stream.send_reset(Reason::CANCEL);
    within(dropped.wait()).await;
    assert_eq!(peer.call("/test.Test/Upload", "still here").await.code(), 0);
}

#[tokio::test]
async fn a_reset_reaches_what_feeds_a_stream() {
    let dropped = Dropped::default();
    let peer = Peer::new(waits_for_ever(&dropped)).await;
    let mut call = peer.begin(post("/test.Test/Download")).await;
    call.stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    let mut body = within(call.response).await.expect("it begins").into_body();
    assert_eq!(
        within(body.data()).await.expect("a message").expect("no error"),
        frame("first")
    );
    drop(body);
    call.stream.send_reset(Reason::CANCEL);
    within(dropped.wait()).await;
}

#[tokio::test]
async fn a_connection_that_breaks_drops_its_handlers() {
    let dropped = Dropped::default();
    let peer = Peer::new(waits_for_ever(&dropped)).await;
    let mut call = peer.begin(post("/test.Test/Unary")).await;
    call.stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    peer.call("/test.Test/Nothing", "").await;
    peer.closed.abort();
    within(dropped.wait()).await;
    within(peer.served).await.expect("it does not panic");
}

#[tokio::test]
async fn an_upload_that_is_reset_is_an_error_and_no_end() {
    let (seen, mut results) = mpsc::unbounded_channel();
    let service = TestService::new().upload(move |request| {
        let seen = seen.clone();
        async move {
            // What reads outlives the call, as a handler may have it.
            let mut stream = request.into_inner();
            tokio::spawn(async move {
                loop {
                    let item = stream.message().await;
                    let goes_on = matches!(item, Ok(Some(_)));
                    seen.send(item).expect("the test listens");
                    if !goes_on {
                        return;
                    }
                }
            });
            std::future::pending().await
        }
    });
    let peer = Peer::new(service).await;
    let mut call = peer.begin(post("/test.Test/Upload")).await;
    call.stream
        .send_data(frame("half"), false)
        .expect("the stream is open");
    assert_eq!(
        within(results.recv())
            .await
            .expect("one")
            .expect("a message")
            .expect("it"),
        "half"
    );
    call.stream.send_reset(Reason::CANCEL);
    let end = within(results.recv()).await.expect("one");
    assert_eq!(end.expect_err("not an end").code(), Code::Cancelled);
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_is_whole() {
    let service = TestService::new().upload(async |_| Ok(Response::new(Bytes::from_static(b"enough"))));
    let peer = Peer::new(service).await;
    let mut call = peer.begin(post("/test.Test/Upload")).await;
    call.stream
        .send_data(frame("first"), false)
        .expect("the stream is open");
    let response = within(call.response).await.expect("it answers");
    let mut body = response.into_body();
    assert_eq!(
        within(body.data()).await.expect("a message").expect("no error"),
        frame("enough")
    );
    let trailers = within(body.trailers())
        .await
        .expect("no error")
        .expect("there are some");
    assert_eq!(trailers["grpc-status"], "0");
    // And then it tells that it wants no more of the request.
    let reset = within(std::future::poll_fn(|cx| call.stream.poll_reset(cx))).await;
    assert_eq!(reset.expect("it was reset"), Reason::NO_ERROR);
    peer.assert_alive().await;
}
