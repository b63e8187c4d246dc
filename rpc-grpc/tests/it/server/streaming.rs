//! Back-pressure: who reads slowly stops who writes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use rpc_core::{Response, Status, Streaming};
use rpc_grpc::{GrpcServer, ServerConfig};
use tokio::sync::mpsc;

use super::{
    peer::{Answer, Peer, frame, post, send_all, within},
    service::{Counter, TestService},
};

const MESSAGE_BYTES: usize = 1000;

/// Always has another message, and counts how many it was asked for.
struct Endless {
    asked: Counter,
    left: usize,
}

impl tokio_stream::Stream for Endless {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.asked.add();
        Poll::Ready(Some(Ok(Bytes::from(vec![0; MESSAGE_BYTES]))))
    }
}

fn endless(asked: &Counter, left: usize) -> TestService {
    let asked = asked.clone();
    TestService::new().download(move |_| {
        let asked = asked.clone();
        async move { Ok(Response::new(Streaming::new(Endless { asked, left }))) }
    })
}

/// Lets the server run until it waits for the client.
async fn settle() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn readers_that_do_not_read_stop_64_writers() {
    const STREAMS: usize = 64;
    const SEND_BUFFER: usize = 64 << 10;
    let asked = Counter::default();
    let mut builder = h2::client::Builder::new();
    // A window of the connection that no stream's fills.
    builder
        .initial_window_size(65_535)
        .initial_connection_window_size(64 << 20);
    let mut config = ServerConfig::default();
    config.send_buffer_bytes = SEND_BUFFER;
    let peer = Peer::built(&GrpcServer::new(config), endless(&asked, usize::MAX), &builder).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let mut call = peer.begin(post("/test.Test/Download")).await;
        call.stream
            .send_data(frame(""), true)
            .expect("the stream is open");
        let body = within(call.response).await.expect("it begins").into_body();
        streams.push((body, call.stream));
    }
    settle().await;
    let before = asked.get();
    settle().await;
    assert_eq!(asked.get(), before, "the producers stand still");
    // What may be on its way: the window and the buffer of each stream, a batch that waits for room, and what is handed
    // over without asking.
    let bound = STREAMS * (2 * 65_535 + SEND_BUFFER + (32 << 10)) / MESSAGE_BYTES;
    assert!(before <= bound, "{before} messages were made, {bound} may be");
    // Each that is read lets more come.
    for (body, _) in &mut streams {
        for _ in 0..20 {
            let data = within(body.data()).await.expect("more").expect("no error");
            body.flow_control()
                .release_capacity(data.len())
                .expect("it was received");
        }
    }
    within(asked.reached(before + 1)).await;
    drop(streams);
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_stream_of_small_messages_arrives_whole() {
    let asked = Counter::default();
    let peer = Peer::new(endless(&asked, 5000)).await;
    let answer = peer.call("/test.Test/Download", "").await;
    assert_eq!(answer.code(), 0);
    assert_eq!(answer.messages().len(), 5000);
    assert_eq!(asked.get(), 5000);
}

#[tokio::test]
async fn a_handler_that_does_not_read_stops_its_caller() {
    let (taken, mut handlers) = mpsc::unbounded_channel();
    let service = TestService::new().upload(move |request| {
        let taken = taken.clone();
        async move {
            let (done, wait) = tokio::sync::oneshot::channel();
            taken.send(done).expect("the test listens");
            wait.await.expect("it is told");
            let mut stream = request.into_inner();
            let mut count: u32 = 0;
            while stream.message().await?.is_some() {
                count += 1;
            }
            Ok(Response::new(count.to_string().into()))
        }
    });
    let peer = Peer::with(service, |config| config.stream_window_bytes = 100_000).await;
    let mut call = peer.begin(post("/test.Test/Upload")).await;
    let all = Bytes::from(frame(vec![0; MESSAGE_BYTES]).repeat(1000));
    let mut sending = tokio::spawn(async move {
        let sent = send_all(&mut call.stream, all, true).await;
        (sent, call)
    });
    let go_on = within(handlers.recv()).await.expect("it runs");
    settle().await;
    assert!(
        !sending.is_finished(),
        "a million bytes do not fit into the window"
    );
    go_on.send(()).expect("it waits");
    let (sent, call) = within(&mut sending).await.expect("it does not panic");
    sent.expect("all of it");
    assert_eq!(call.answer().await.messages(), ["1000"]);
}

#[tokio::test]
async fn a_chat_alternates() {
    let peer = Peer::new(TestService::new()).await;
    let mut call = peer.begin(post("/test.Test/Chat")).await;
    let mut body = None;
    for n in 0..10u8 {
        call.stream
            .send_data(frame([n]), false)
            .expect("the stream is open");
        if body.is_none() {
            body = Some(within(&mut call.response).await.expect("it begins").into_body());
        }
        let body = body.as_mut().expect("it began");
        assert_eq!(
            within(body.data()).await.expect("a message").expect("no error"),
            frame([n])
        );
    }
    call.stream
        .send_data(Bytes::new(), true)
        .expect("the stream is open");
    let mut body = body.expect("it began");
    assert!(within(body.data()).await.is_none());
    assert_eq!(
        within(body.trailers()).await.expect("no error").expect("some")["grpc-status"],
        "0"
    );
}

#[tokio::test]
async fn a_chat_that_nobody_begins_still_answers() {
    let peer = Peer::new(TestService::new()).await;
    let answer = peer.request(post("/test.Test/Chat"), "").await;
    assert_eq!(answer.code(), 0);
    assert_eq!(answer.messages(), Vec::<Bytes>::new());
}

#[tokio::test]
async fn a_slow_stream_does_not_stop_the_others() {
    let asked = Counter::default();
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(65_535)
        .initial_connection_window_size(1 << 20);
    let peer = Peer::built(&GrpcServer::default(), endless(&asked, usize::MAX), &builder).await;
    let mut call = peer.begin(post("/test.Test/Download")).await;
    call.stream
        .send_data(frame(""), true)
        .expect("the stream is open");
    let slow = within(call.response).await.expect("it begins");
    settle().await;
    for _ in 0..10 {
        let answer: Answer = peer.call("/test.Test/Upload", "fast").await;
        assert_eq!(answer.messages(), ["fast"]);
    }
    drop(slow);
}

#[tokio::test]
async fn what_many_calls_have_read_is_room_for_others() {
    const CALLS: u32 = 300;
    let peer = Peer::with(TestService::new(), |config| {
        config.max_concurrent_streams = CALLS + 1;
        config.connection_window_bytes = 65_535;
    })
    .await;
    let mut waiting = Vec::new();
    for _ in 0..CALLS {
        let mut call = peer.begin(post("/test.Test/Chat")).await;
        let message = frame([7; 240]);
        let sent = within(send_all(&mut call.stream, message.clone(), false)).await;
        sent.expect("the stream is open");
        let mut body = within(&mut call.response).await.expect("it begins").into_body();
        let echoed = within(body.data()).await.expect("a message").expect("no error");
        assert_eq!(echoed, message);
        let returned = body.flow_control().release_capacity(echoed.len());
        returned.expect("it was received");
        waiting.push((call.stream, body));
    }
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_window_of_few_bytes_lets_everything_through() {
    let peer = Peer::with(TestService::new(), |config| config.stream_window_bytes = 100).await;
    let mut call = peer.begin(post("/test.Test/Upload")).await;
    let sent = within(send_all(&mut call.stream, frame([7; 10_000]), true)).await;
    sent.expect("the stream is open");
    assert_eq!(call.answer().await.messages(), [[7; 10_000].as_slice()]);
}
