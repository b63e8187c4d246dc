//! `Streaming` by itself.

use std::{
    future::poll_fn,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use rpc_core::{
    Body, Call, Channel, Code, Metadata, MethodDescriptor, Reply, Request, Response, Result, Shape, Stage,
    Status, Streaming,
    blocking::{Blocking, Messages},
    client,
    codec::{Codec, CodecError, Decode, Encode, Json, MessageCodec, MethodTypes},
    message::{Incoming, Sender, StreamEnd},
    status::reason,
};

use crate::support::{COUNT, Numbers, collect, count, relay, soon, sum};

#[tokio::test]
async fn a_failure_is_the_last_item() -> Result<()> {
    let (sender, mut stream) = Streaming::channel(1);
    sender.send(1).await.expect("there is room");
    // It needs none.
    sender.fail(Status::aborted("enough"));
    assert_eq!(stream.message().await?, Some(1));
    assert_eq!(
        stream.message().await.expect_err("it failed").code(),
        Code::Aborted
    );
    for _ in 0..2 {
        assert_eq!(stream.message().await?, None);
    }
    Ok(())
}

#[tokio::test]
async fn a_failure_ends_it_whatever_other_senders_do() -> Result<()> {
    let (sender, mut stream) = Streaming::channel(1);
    let other = sender.clone();
    let fails = async {
        sender.fail(Status::aborted("enough"));
    };
    // The reader waits before it fails.
    let (read, ()) = tokio::join!(soon(stream.message()), fails);
    assert_eq!(read.expect_err("it failed").code(), Code::Aborted);
    assert_eq!(other.send(2).await, Err(2), "nobody reads it");

    let (sender, mut stream) = Streaming::channel(1);
    let other = sender.clone();
    other.send(1).await.expect("there is room");
    sender.fail(Status::aborted("enough"));
    let mut goes_on = Box::pin(other.send(2));
    let polled = poll_fn(|cx| std::task::Poll::Ready(goes_on.as_mut().poll(cx))).await;
    assert!(polled.is_pending(), "there is no room for a second");
    assert_eq!(stream.message().await?, Some(1), "what was sent arrives");
    assert_eq!(goes_on.await, Err(2));
    let status = stream.message().await.expect_err("it failed");
    assert_eq!(status.code(), Code::Aborted);
    Ok(())
}

#[tokio::test]
async fn the_last_sender_ends_it() -> Result<()> {
    let (sender, stream) = Streaming::channel(4);
    let other = sender.clone();
    sender.send(1).await.expect("there is room");
    drop(sender);
    other.send(2).await.expect("there is room");
    drop(other);
    assert_eq!(collect(stream).await?, [1, 2]);

    let (sender, stream) = Streaming::channel(4);
    drop(stream);
    assert_eq!(sender.send(3).await, Err(3), "the message comes back");
    soon(sender.closed()).await;
    sender.fail(Status::aborted("nobody hears it"));
    Ok(())
}

#[tokio::test]
async fn a_sender_that_panics_does_not_complete_it() -> Result<()> {
    let channel = Numbers::new()
        .on_count(|_| async {
            let (sender, stream) = Streaming::channel(4);
            let other = sender.clone();
            tokio::spawn(async move {
                sender.send(1).await.expect("there is room");
                panic!("secret");
            });
            tokio::spawn(async move { other.send(1).await });
            Ok(Response::new(stream))
        })
        .channel();
    let mut stream = soon(count(&channel, 2)).await?;
    for _ in 0..2 {
        assert_eq!(soon(stream.message()).await?, Some(1), "what was sent arrives");
    }
    let status = soon(stream.message()).await.expect_err("it is not complete");
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("secret"), "{status}");
    assert_eq!(stream.message().await?, None);
    Ok(())
}

#[tokio::test]
async fn it_is_pulled_message_by_message() -> Result<()> {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let numbers = Streaming::from_iter((0..1000).inspect(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let mut stream = relay(&Numbers::new().channel(), numbers).await?;
    assert_eq!(made.load(Ordering::Relaxed), 0);
    for taken in 1..=3 {
        stream.message().await?;
        assert_eq!(
            made.load(Ordering::Relaxed),
            taken,
            "nothing is made before it is asked for"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_reader_stops_the_sender() -> Result<()> {
    let (sender, stream) = Streaming::channel(2);
    let mut stream = relay(&Numbers::new().channel(), stream).await?;
    for number in 0..2 {
        sender.send(number).await.expect("there is room");
    }
    let mut blocked = Box::pin(sender.send(2));
    let polled = poll_fn(|cx| std::task::Poll::Ready(blocked.as_mut().poll(cx))).await;
    assert!(polled.is_pending(), "there is no room for a third");
    assert_eq!(stream.message().await?, Some(0));
    blocked.await.expect("now there is");
    Ok(())
}

struct Script(Vec<Bytes>, Metadata);

impl Incoming for Script {
    fn poll_message(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Result<Bytes>>> {
        std::task::Poll::Ready(self.0.pop().map(Ok))
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.1)
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(std::mem::take(&mut self.0), std::mem::take(&mut self.1)))
    }
}

#[tokio::test]
async fn messages_that_arrive_are_decoded() -> Result<()> {
    let mut trailers = Metadata::new();
    trailers.insert("x-rows", "1").expect("legal");
    let script = Script(vec![Bytes::from_static(b"7")], trailers);
    let mut stream = Streaming::<u32>::from_incoming(Box::new(script), MessageCodec::of::<Json>());
    assert_eq!(stream.message().await?, Some(7));
    assert!(stream.trailers().is_empty());
    assert_eq!(stream.message().await?, None);
    assert_eq!(stream.trailers().get("x-rows"), Some("1"));

    let script = Script(
        vec![Bytes::from_static(b"8"), Bytes::from_static(b"?")],
        Metadata::new(),
    );
    let mut stream = Streaming::<u32>::from_incoming(Box::new(script), MessageCodec::of::<Json>());
    assert_eq!(
        stream.message().await.expect_err("it does not decode").code(),
        Code::Internal
    );
    assert_eq!(stream.message().await?, None, "nothing is read after a failure");
    Ok(())
}

#[tokio::test]
async fn it_is_a_stream_and_made_of_streams() -> Result<()> {
    let stream: Streaming<u32> = Streaming::new(Streaming::from_iter([1, 2]));
    let mut stream = Box::pin(stream);
    let mut all = Vec::new();
    while let Some(item) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
        all.push(item?);
    }
    assert_eq!(all, [1, 2]);
    Ok(())
}

/// Trailers of these keys.
fn trailers<const N: usize>(keys: [&str; N]) -> Metadata {
    let mut trailers = Metadata::new();
    for key in keys {
        trailers.insert_bin(key, "1").expect("legal");
    }
    trailers
}

#[tokio::test]
async fn trailers_come_from_the_stream_and_from_the_response() -> Result<()> {
    let channel = Numbers::new()
        .on_count(|_| async {
            let stream = Streaming::from_iter([1]).with_trailers(trailers(["x-stream-bin"]));
            let mut response = Response::new(stream);
            *response.trailers_mut() = trailers(["x-response-bin"]);
            Ok(response)
        })
        .channel();
    let mut stream = count(&channel, 1).await?;
    while stream.message().await?.is_some() {}
    for key in ["x-stream-bin", "x-response-bin"] {
        assert!(stream.trailers().contains_key(key), "{key}");
    }
    Ok(())
}

#[tokio::test]
async fn in_process_as_well_a_stream_that_is_passed_on_keeps_its_trailers() -> Result<()> {
    let back = Numbers::new()
        .on_count(|_| async {
            let mut response = Response::new(Streaming::from_iter([7]));
            *response.trailers_mut() = trailers(["x-back-bin", rpc_core::load::TRAILER]);
            Ok(response)
        })
        .channel();
    let mut asked = count(&back, 1).await?;
    assert!(asked.trailers().is_empty());
    while asked.message().await?.is_some() {}
    assert!(asked.trailers().contains_key(rpc_core::load::TRAILER));
    let front = Numbers::new()
        .on_count(move |request| {
            let back = back.clone();
            async move {
                let response = client::server_streaming(&back, &COUNT, request).await?;
                Ok(response.map(|stream| stream.with_trailers(trailers(["x-front-bin"]))))
            }
        })
        .channel();
    let mut stream = count(&front, 1).await?;
    while stream.message().await?.is_some() {}
    for key in ["x-back-bin", "x-front-bin"] {
        assert!(stream.trailers().contains_key(key), "{key}");
    }
    assert!(!stream.trailers().contains_key(rpc_core::load::TRAILER));
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_sent_on_as_a_request_leaves_its_trailers() -> Result<()> {
    let back = Numbers::new()
        .on_count(|_| async {
            let stream = Streaming::from_iter([7]).with_trailers(trailers(["x-back-bin"]));
            Ok(Response::new(stream))
        })
        .channel();
    let other = Numbers::new()
        .on_sum(|request| async {
            let mut numbers = request.into_inner();
            while numbers.message().await?.is_some() {}
            Ok(Response::new(u32::from(!numbers.trailers().is_empty())))
        })
        .channel();
    let stream = count(&back, 1).await?;
    assert_eq!(sum(&other, stream).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_stream_that_is_passed_on_keeps_its_trailers() -> Result<()> {
    // It has one message, and the trailers arrive after it.
    let arriving = || {
        let script = Script(
            vec![Bytes::from_static(b"7")],
            trailers(["x-rows-bin", rpc_core::load::TRAILER]),
        );
        Streaming::<u32>::from_incoming(Box::new(script), MessageCodec::of::<Json>())
    };
    let back = Numbers::new()
        .on_count(
            move |_| async move { Ok(Response::new(arriving().with_trailers(trailers(["x-back-bin"])))) },
        )
        .channel();
    let front = Numbers::new()
        .on_count(move |request| {
            let back = back.clone();
            async move { client::server_streaming(&back, &COUNT, request).await }
        })
        .channel();
    let mut stream = count(&front, 1).await?;
    assert_eq!(stream.message().await?, Some(7));
    assert_eq!(stream.message().await?, None);
    for key in ["x-rows-bin", "x-back-bin"] {
        assert!(stream.trailers().contains_key(key), "{key}");
    }
    assert!(
        !stream.trailers().contains_key(rpc_core::load::TRAILER),
        "it is not the load of whoever passes it on"
    );
    Ok(())
}

/// A message that cannot be encoded.
struct Torn;

enum Half {}

impl Codec for Half {
    const NAME: &'static str = "half";
}

impl Encode<Torn> for Half {
    fn encode(_: &Torn, out: &mut BytesMut) -> Result<(), CodecError> {
        out.extend_from_slice(b"half of it");
        panic!("torn")
    }
}

impl Decode<Torn> for Half {
    fn decode(_: Bytes) -> Result<Torn, CodecError> {
        Err(CodecError::new("torn"))
    }
}

#[test]
fn an_encoder_that_fails_leaves_the_buffer_alone() {
    let mut out = BytesMut::from(&b"before"[..]);
    let status = MessageCodec::of::<Half>()
        .encode(&Torn, &mut out)
        .expect_err("it panics");
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(&out[..], b"before");
}

/// Reads a request stream as a transport does, while it is told of its end. It holds the stream until it was dropped.
struct Reads(Sender<Torn>);

struct Told(Arc<OnceLock<Code>>);

impl StreamEnd for Told {
    fn ended(self: Box<Self>, outcome: Result<&mut Metadata, &mut Status>) {
        let code = outcome.map_or_else(|status| status.code(), |_| Code::Ok);
        self.0.set(code).expect("it is told once");
    }
}

impl Stage for Reads {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        let Body::Outgoing(stream) = &mut call.body else {
            panic!("it is a stream");
        };
        let told = Arc::default();
        stream.on_end(Box::new(Told(Arc::clone(&told))));
        let mut out = BytesMut::new();
        let item = poll_fn(|cx| stream.poll_encode(cx, &mut out)).await;
        assert_eq!(told.get(), Some(&Code::Internal), "it has not been given up");
        soon(self.0.closed()).await;
        assert!(poll_fn(|cx| stream.poll_encode(cx, &mut out)).await.is_none());
        Err(item.expect("an item").expect_err("it cannot be encoded"))
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_encoded_ends_its_stream() {
    static METHOD: MethodDescriptor = MethodDescriptor::new("/test.v1.Torn/Send", Shape::ClientStreaming);
    static TYPES: MethodTypes<Torn, u32> = MethodTypes::new(
        &METHOD,
        &[MessageCodec::of::<Half>()],
        &[MessageCodec::of::<Json>()],
    );
    let (sender, stream) = Streaming::channel(2);
    sender
        .send(Torn)
        .await
        .unwrap_or_else(|_| panic!("there is room"));
    let channel = Channel::new(Reads(sender));
    let sent = client::client_streaming(&channel, &TYPES, Request::new(stream)).await;
    let status = sent.map(drop).expect_err("it cannot be encoded");
    assert_eq!(status.reason(), Some(reason::MESSAGE_UNENCODABLE));
}

#[tokio::test]
async fn an_iterator_that_is_stepped_inside_of_async_code_ends_with_the_error() {
    let blocking = Blocking::new().expect("a thread");
    let mut messages = Messages::new(Streaming::from_iter([1, 2]), &blocking);
    let status = messages.next().expect("an item").expect_err("it would block");
    assert_eq!(status.reason(), Some(reason::BLOCKING_IN_ASYNC));
    assert!(messages.next().is_none() && messages.next().is_none());
}

#[tokio::test]
async fn a_blocking_sender_fails_its_stream_inside_of_async_code_as_well() -> Result<()> {
    let blocking = Blocking::new().expect("a thread");
    let (sender, mut stream) = blocking.channel(1);
    let full = sender.clone();
    let fed = tokio::task::spawn_blocking(move || full.send(1));
    fed.await.expect("no panic")?;
    sender.fail(Status::aborted("enough"));
    assert_eq!(stream.message().await?, Some(1));
    let status = stream.message().await.expect_err("it failed");
    assert_eq!(status.code(), Code::Aborted);
    Ok(())
}
