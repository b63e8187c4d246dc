//! The three shapes that stream, and what a slow reader does.

use std::{
    any::Any,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context as Poller, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Body, Call, Code, Request, Response, Status, Streaming, client,
    message::Outgoing,
    status::{Side, reason},
};
use rpc_framed::ServerConfig;
use tokio::{sync::oneshot, task::JoinSet};

use super::{
    peer::{CHUNK, CREDIT, DEFINE, END, MESSAGE, MORE, Peer, REPLY, REQUEST, define, frame},
    service::{Counter, Dropped, TYPES, TestService},
    support::{echo, pair, pair_with, request, serve_one, within},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_shapes_are_answered() {
    let pair = pair(TestService::new()).await;
    let rows = Streaming::from_iter(["a", "b", ""].map(|row| Bytes::from_static(row.as_bytes())));
    let upload = within(client::client_streaming(
        &pair.channel,
        &TYPES[1],
        Request::new(rows),
    ))
    .await;
    assert_eq!(upload.expect("it succeeds").into_inner(), "ab");
    let download = within(client::server_streaming(&pair.channel, &TYPES[2], request("x"))).await;
    let mut download = download.expect("it succeeds").into_inner();
    let mut count = 0;
    while let Some(message) = within(download.message()).await.expect("it succeeds") {
        assert_eq!(message, "x");
        count += 1;
    }
    assert_eq!(count, 2);
    let (sender, changes) = Streaming::channel(1);
    let chat = within(client::bidi(&pair.channel, &TYPES[3], Request::new(changes))).await;
    let mut chat = chat.expect("it begins").into_inner();
    for n in 0..10u8 {
        sender.send(Bytes::from(vec![n])).await.expect("it is read");
        assert_eq!(
            within(chat.message()).await.expect("it succeeds").expect("one"),
            vec![n]
        );
    }
    drop(sender);
    assert!(within(chat.message()).await.expect("it succeeds").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_and_small_messages_alternate_in_both_directions() {
    let pair = pair(TestService::new()).await;
    // Larger than a frame, larger than the credit, and small ones between.
    let sizes = [10, 100_000, 300_000, 10, 1_000_000, 0, 500_000, 10];
    let rows = Streaming::from_iter(sizes.map(|size: usize| Bytes::from(vec![size as u8; size])));
    let chat = within(client::bidi(&pair.channel, &TYPES[3], Request::new(rows))).await;
    let mut chat = chat.expect("it begins").into_inner();
    for size in sizes {
        let message = within(chat.message())
            .await
            .expect("it succeeds")
            .expect("one more");
        assert!(message == vec![size as u8; size], "{size}");
    }
    assert!(within(chat.message()).await.expect("it succeeds").is_none());
}

#[tokio::test]
async fn a_slow_reader_stops_the_sender_and_nobody_else() {
    let sent = Counter::default();
    let counting = sent.clone();
    let service = TestService::new().download(move |_| {
        let counting = counting.clone();
        async move {
            let rows = (0..10_000).map(move |_| {
                counting.add();
                Bytes::from(vec![0; 10_000])
            });
            Ok(Response::new(Streaming::from_iter(rows)))
        }
    });
    let pair = pair(service).await;
    let download = within(client::server_streaming(&pair.channel, &TYPES[2], request("x"))).await;
    let mut download = download.expect("it begins").into_inner();
    for _ in 0..100 {
        echo(&pair.channel, "y").await.expect("others are served");
    }
    let before = sent.get();
    assert!(before < 100, "{before} messages were made although nobody reads");
    let mut count = 0;
    while let Some(message) = within(download.message()).await.expect("it succeeds") {
        assert_eq!(message.len(), 10_000);
        count += 1;
    }
    assert_eq!(count, 10_000);
}

#[tokio::test]
async fn a_stream_that_fails_says_so_at_its_place() {
    let service = TestService::new().download(async |request| {
        let late = request.message() == "late";
        let (sender, stream) = Streaming::channel(4);
        if late {
            sender.send(Bytes::from("a")).await.expect("there is room");
        }
        sender.fail(Status::aborted("halfway").with_reason("HALF"));
        Ok(Response::new(stream))
    });
    let pair = pair(service).await;
    let status = within(client::server_streaming(
        &pair.channel,
        &TYPES[2],
        request("at once"),
    ))
    .await
    .expect_err("it fails before it begins");
    assert_eq!((status.code(), status.reason()), (Code::Aborted, Some("HALF")));
    let stream = within(client::server_streaming(
        &pair.channel,
        &TYPES[2],
        request("late"),
    ))
    .await;
    let mut stream = stream.expect("it begins").into_inner();
    assert_eq!(within(stream.message()).await.unwrap().unwrap(), "a");
    let status = within(stream.message()).await.expect_err("it fails");
    assert_eq!((status.code(), status.reason()), (Code::Aborted, Some("HALF")));
}

#[tokio::test]
async fn dropping_a_stream_drops_the_handlers_side() {
    let dropped = Dropped::default();
    let held = dropped.clone();
    let service = TestService::new().chat(move |request| {
        let guard = held.guard();
        async move {
            let mut incoming = request.into_inner();
            let (sender, stream) = Streaming::channel(1);
            tokio::spawn(async move {
                let _guard = guard;
                while let Ok(Some(message)) = incoming.message().await {
                    if sender.send(message).await.is_err() {
                        return;
                    }
                }
            });
            Ok(Response::new(stream))
        }
    });
    let pair = pair(service).await;
    let (sender, rows) = Streaming::channel(1);
    let chat = within(client::bidi(&pair.channel, &TYPES[3], Request::new(rows))).await;
    let mut chat = chat.expect("it begins").into_inner();
    sender.send(Bytes::from("x")).await.unwrap();
    assert_eq!(within(chat.message()).await.unwrap().unwrap(), "x");
    drop(chat);
    within(dropped.wait()).await;
    assert!(echo(&pair.channel, "y").await.is_ok());
}

#[tokio::test]
async fn a_request_stream_that_breaks_off_is_the_callers_failure() {
    let seen = Dropped::default();
    let told = seen.clone();
    let service = TestService::new().upload(move |request| {
        let guard = told.guard();
        async move {
            let mut rows = request.into_inner();
            while rows.message().await?.is_some() {}
            drop(guard);
            Ok(Response::new(Bytes::new()))
        }
    });
    let pair = pair(service).await;
    let (sender, rows) = Streaming::channel(1);
    let call = client::client_streaming(&pair.channel, &TYPES[1], Request::new(rows));
    let feed = async {
        sender.send(Bytes::from("a")).await.unwrap();
        sender.fail(Status::data_loss("the disk"));
    };
    let (outcome, ()) = within(async { tokio::join!(call, feed) }).await;
    let status = outcome.expect_err("it fails");
    assert_eq!((status.code(), status.message()), (Code::DataLoss, "the disk"));
    within(seen.wait()).await;
    assert_ne!(status.reason(), Some(reason::CALLER_GONE));
}

/// A request, and one that panics once it is its turn.
struct Panics {
    begun: bool,
    turn: oneshot::Receiver<()>,
    /// Also when it is dropped.
    twice: bool,
}

impl Drop for Panics {
    fn drop(&mut self) {
        assert!(!self.twice, "on purpose");
    }
}

impl Outgoing for Panics {
    fn poll_encode(&mut self, cx: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        if mem::replace(&mut self.begun, true) {
            let _ = ready!(Pin::new(&mut self.turn).poll(cx));
            panic!("on purpose");
        }
        out.extend_from_slice(b"x");
        Poll::Ready(Some(Ok(())))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[tokio::test]
async fn a_request_stream_that_panics_fails_its_call() {
    let pair = pair(TestService::new()).await;
    // Before there is an answer, and while one is read.
    for (answers, twice) in [(false, false), (true, false), (true, true)] {
        let (begins, turn) = oneshot::channel();
        let requests = Panics {
            begun: false,
            turn,
            twice,
        };
        let method = if answers { &TYPES[3] } else { &TYPES[1] };
        let mut call = Call::new(method.method(), "proto", Body::Outgoing(Box::new(requests)));
        let failure = within(async {
            if !answers {
                drop(begins);
                return pair.link.call(&mut call).await.map(drop);
            }
            let Body::Incoming(mut answer) = pair.link.call(&mut call).await?.body else {
                panic!("it streams")
            };
            let mut next = async || poll_fn(|cx| answer.poll_message(cx)).await.transpose();
            assert_eq!(next().await?.as_deref(), Some(&b"x"[..]));
            drop(begins);
            next().await.map(drop)
        });
        let status = failure.await.expect_err("it panics");
        assert_eq!(
            (status.code(), status.message(), status.place().side()),
            (
                Code::Internal,
                "the request stream panicked: on purpose",
                Some(Side::Client)
            )
        );
    }
}

/// What a task reads that a handler left the rest of its requests to.
async fn left_to_a_task(waits: bool) -> Status {
    let (sender, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let service = TestService::new().upload(move |request| {
        let sender = sender.clone();
        async move {
            let mut stream = request.into_inner();
            tokio::spawn(async move {
                let end = loop {
                    match stream.message().await {
                        Ok(Some(_)) => {}
                        Ok(None) => break None,
                        Err(status) => break Some(status),
                    }
                };
                let _ = sender.send(end);
            });
            if waits {
                tokio::task::yield_now().await;
            }
            Ok(Response::new(Bytes::new()))
        }
    });
    let pair = pair(service).await;
    let (rows, requests) = Streaming::channel(1);
    rows.send(Bytes::from("a")).await.expect("there is room");
    let upload = client::client_streaming(&pair.channel, &TYPES[1], Request::new(requests));
    within(upload).await.expect("it is answered");
    let end = within(ends.recv()).await.expect("it ends");
    end.expect("nobody knows whether it was complete")
}

#[tokio::test]
async fn a_request_stream_ends_with_its_call() {
    for waits in [false, true] {
        let status = left_to_a_task(waits).await;
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Cancelled, Some(reason::CALLER_GONE))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn large_messages_go_on_beside_such_as_are_given_up() {
    const BYTES: usize = 400 << 10;
    let small = 64 << 10;
    let pair = pair_with(
        TestService::new(),
        |server| server.max_buffered_bytes = small,
        |client| client.max_buffered_bytes = small,
    )
    .await;
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let channel = pair.channel.clone();
        callers.spawn(async move {
            for round in 0..40 {
                let mut call = Box::pin(echo(&channel, vec![7; BYTES]));
                // Every other one is given up after so many polls.
                let mut left = if round % 2 == 0 {
                    usize::MAX
                } else {
                    caller + round
                };
                let echoed = poll_fn(|cx| {
                    if left == 0 {
                        return Poll::Ready(None);
                    }
                    left -= 1;
                    call.as_mut().poll(cx).map(Some)
                })
                .await;
                if let Some(echoed) = echoed {
                    assert_eq!(echoed.expect("it is answered").len(), BYTES);
                }
            }
        });
    }
    within(callers.join_all()).await;
}

#[tokio::test(start_paused = true)]
async fn an_end_is_no_message() {
    let service = TestService::new().upload(async |request| {
        let (mut stream, mut count) = (request.into_inner(), 0);
        while stream.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(Bytes::from(vec![count])))
    });
    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(service, ours, ServerConfig::default());
    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    let upload = define("/test.Test/Upload", b"");
    peer.write(&frame(REQUEST, DEFINE, 0, 1, 0, &upload)).await;
    // Two messages, of which one is of no bytes and one is in two pieces.
    for (flags, piece) in [(MESSAGE, &b""[..]), (MESSAGE | MORE, b"a"), (0, b""), (END, b"")] {
        peer.write(&frame(CHUNK, flags, 0, 1, 0, piece)).await;
    }
    let reply = peer.read().await.expect("an answer");
    assert_eq!((reply.kind, reply.payload.as_slice()), (REPLY, &[2][..]));
}

#[tokio::test(start_paused = true)]
async fn pieces_do_not_shrink_where_each_is_paid_for_by_itself() {
    const MESSAGES: usize = 1000;
    const BYTES: usize = 100_000;
    // What a client takes that says nothing of it.
    const CREDIT_BYTES: usize = 16 << 10;
    let service = TestService::new().download(async |_| {
        let messages = vec![Bytes::from(vec![7; BYTES]); MESSAGES];
        Ok(Response::new(Streaming::from_iter(messages)))
    });
    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(service, ours, ServerConfig::default());
    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    let payload = define("/test.Test/Download", b"x");
    peer.write(&frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload))
        .await;
    assert_eq!(peer.read().await.map(|reply| reply.kind), Some(REPLY));
    for message in 0..MESSAGES {
        let (mut left, mut pieces) = (BYTES, 0);
        while left > 0 {
            let chunk = peer.read().await.expect("it goes on");
            let said = String::from_utf8_lossy(&chunk.payload);
            assert_eq!(chunk.kind, CHUNK, "message {message}: {said}");
            left -= chunk.payload.len();
            pieces += 1;
            let cost = chunk.payload.len() as u32 + 16;
            peer.write(&frame(CREDIT, 0, 0, 1, 0, &cost.to_le_bytes())).await;
            // Until the server has sent what it may.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let most = BYTES.div_ceil(CREDIT_BYTES / 4);
        assert!(pieces <= most, "message {message} came in {pieces} pieces");
    }
    assert_eq!(peer.read().await.map(|end| end.flags), Some(END));
}
