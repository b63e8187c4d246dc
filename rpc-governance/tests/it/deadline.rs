//! Which deadline a call gets, and that it ends there.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Poller, Poll},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    Body, Call, Channel, Code, Context, Deadline, Method, MethodDescriptor, OwnedCall, Reply, Request,
    Result, Shape, Stage, Status, client,
    codec::{Json, MessageCodec, MethodTypes},
    message::{Encoded, Incoming},
    stage::Owned,
    status::{Side, reason},
};
use rpc_governance::client::deadline::{DeadlineLayer, DeadlinePolicy};
use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tower_service::Service;

const MS: Duration = Duration::from_millis(1);

static PLAIN: MethodDescriptor = MethodDescriptor::new("/test.S/Plain", Shape::Unary);
static BOUNDED: MethodDescriptor =
    MethodDescriptor::new("/test.S/Bounded", Shape::Unary).timeout(Duration::from_millis(200));
static STREAM: MethodDescriptor = MethodDescriptor::new("/test.S/Stream", Shape::ServerStreaming);
static BOUNDED_STREAM: MethodDescriptor =
    MethodDescriptor::new("/test.S/BoundedStream", Shape::ServerStreaming)
        .timeout(Duration::from_millis(300));

/// Notes the deadline that it sees, in what is left of it.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Option<Duration>>>);

impl Stage for Seen {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        *self.0.lock().unwrap() = call.context.deadline().map(Deadline::remaining);
        Ok(Reply::new(Body::Incoming(Box::new(Flood))))
    }
}

async fn effective(
    policy: &DeadlinePolicy,
    method: &'static MethodDescriptor,
    asked: Option<Duration>,
) -> Option<Duration> {
    let seen = Seen::default();
    let stage = DeadlineLayer::new(policy.clone()).layer(seen.clone());
    let mut call = call(method);
    call.context = Context::new().with_deadline(asked.map(Deadline::after));
    let reply = stage.call(&mut call).await.unwrap();
    let left = *seen.0.lock().unwrap();
    assert_eq!(
        reply.expiry.map(|expiry| expiry.deadline().remaining()),
        left,
        "the reply says the same"
    );
    assert_eq!(call.context.deadline().map(Deadline::remaining), left);
    left
}

fn call(method: &'static MethodDescriptor) -> Call<'static> {
    Call::new(
        Method::Static(method),
        "json",
        Body::Encoded(Encoded { bytes: Bytes::new() }),
    )
}

#[tokio::test(start_paused = true)]
async fn the_earliest_counts() {
    let usual = DeadlinePolicy::default();
    let short = DeadlinePolicy::default().with_unary_default(50 * MS);
    let none = DeadlinePolicy::default().with_unary_default(None);
    let bare = DeadlinePolicy::explicit_only();
    let cases = [
        // policy, method, asked for or inherited, expected
        (&usual, &PLAIN, None, Some(10_000)),
        (&usual, &PLAIN, Some(5), Some(5)),
        (&usual, &PLAIN, Some(60_000), Some(60_000)),
        (&usual, &BOUNDED, None, Some(200)),
        (&usual, &BOUNDED, Some(5), Some(5)),
        (&usual, &BOUNDED, Some(60_000), Some(200)),
        (&usual, &STREAM, None, None),
        (&usual, &STREAM, Some(5), Some(5)),
        (&usual, &BOUNDED_STREAM, None, Some(300)),
        (&usual, &BOUNDED_STREAM, Some(5), Some(5)),
        (&short, &PLAIN, None, Some(50)),
        // A default is for calls that have nothing else.
        (&short, &PLAIN, Some(60), Some(60)),
        (&short, &BOUNDED, None, Some(200)),
        (&short, &STREAM, None, None),
        (&none, &PLAIN, None, None),
        (&none, &BOUNDED, None, Some(200)),
        (&bare, &PLAIN, None, None),
        (&bare, &BOUNDED, None, None),
        (&bare, &BOUNDED, Some(5), Some(5)),
    ];
    for (policy, method, asked, expected) in cases {
        let [asked, expected] = [asked, expected].map(|ms| ms.map(Duration::from_millis));
        assert_eq!(
            effective(policy, method, asked).await,
            expected,
            "{policy:?} {} {asked:?}",
            method.path()
        );
    }
}

/// Sleeps before it answers; counts how often it was begun and how often done.
#[derive(Clone, Default)]
struct Slow {
    takes: Duration,
    begun: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
}

impl Stage for Slow {
    async fn call(&self, _: &mut Call<'_>) -> Result<Reply> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        sleep(self.takes).await;
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(Reply::new(Body::Empty))
    }
}

fn assert_expired(status: &Status) {
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(
        (status.reason(), status.domain()),
        (Some(reason::DEADLINE_PASSED), Some(reason::DOMAIN))
    );
    assert_eq!(status.place().side(), Some(Side::Client));
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline() {
    let slow = Slow {
        takes: 300 * MS,
        ..Slow::default()
    };
    let stage = DeadlineLayer::default().layer(slow.clone());
    let start = Instant::now();
    let status = stage.call(&mut call(&BOUNDED)).await.unwrap_err();
    assert_expired(&status);
    assert!(status.was_processed(), "nobody knows");
    assert_eq!(start.elapsed(), 200 * MS);
    sleep(1000 * MS).await;
    assert_eq!(slow.done.load(Ordering::Relaxed), 0, "what was below is dropped");
}

#[tokio::test(start_paused = true)]
async fn a_call_in_time_is_left_alone() {
    let stage = DeadlineLayer::default().layer(Slow {
        takes: 199 * MS,
        ..Slow::default()
    });
    stage.call(&mut call(&BOUNDED)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_has_passed_sends_nothing() {
    let slow = Slow::default();
    let stage = DeadlineLayer::default().layer(slow.clone());
    let mut call = call(&PLAIN);
    call.context = Context::new().with_deadline(Deadline::after(5 * MS));
    sleep(5 * MS).await;
    let status = stage.call(&mut call).await.unwrap_err();
    assert_expired(&status);
    assert!(!status.was_processed() && !status.is_retryable());
    assert_eq!(slow.begun.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_below_is_not_ours() {
    struct Failing;
    impl Stage for Failing {
        async fn call(&self, _: &mut Call<'_>) -> Result<Reply> {
            Err(Status::deadline_exceeded("theirs").at_side(Side::Server))
        }
    }
    let status = DeadlineLayer::default()
        .layer(Failing)
        .call(&mut call(&PLAIN))
        .await
        .unwrap_err();
    assert_eq!(
        (status.message(), status.place().side()),
        ("theirs", Some(Side::Server))
    );
}

#[tokio::test(start_paused = true)]
async fn alone_in_a_tower_stack() {
    let inner = Owned::new(Slow {
        takes: 300 * MS,
        ..Slow::default()
    });
    let mut service = DeadlineLayer::default().layer(inner);
    std::future::poll_fn(|cx| Service::<OwnedCall>::poll_ready(&mut service, cx))
        .await
        .unwrap();
    assert_expired(&Service::call(&mut service, call(&BOUNDED)).await.unwrap_err());
    Service::call(&mut service, call(&PLAIN)).await.unwrap();
}

/// Answers with a message every 100 ms.
struct Dripping;

struct Drops(Pin<Box<tokio::time::Sleep>>);

impl Stage for Dripping {
    async fn call(&self, _: &mut Call<'_>) -> Result<Reply> {
        Ok(Reply::new(Body::Incoming(Box::new(Drops(Box::pin(sleep(
            100 * MS,
        )))))))
    }
}

impl Incoming for Drops {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes>>> {
        self.0.as_mut().poll(cx).map(|()| {
            self.0.as_mut().reset(Instant::now() + 100 * MS);
            Some(Ok(Bytes::from_static(b"1")))
        })
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        unreachable!("it is owned")
    }
}

/// Answers with messages that are all there already.
struct Flooding;

struct Flood;

impl Stage for Flooding {
    async fn call(&self, _: &mut Call<'_>) -> Result<Reply> {
        Ok(Reply::new(Body::Incoming(Box::new(Flood))))
    }
}

impl Incoming for Flood {
    fn poll_message(&mut self, _: &mut Poller<'_>) -> Poll<Option<Result<Bytes>>> {
        Poll::Ready(Some(Ok(Bytes::from_static(b"1"))))
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        unreachable!("it is owned")
    }
}

static NUMBERS: MethodTypes<u32, u32> = MethodTypes::new(
    &STREAM,
    &[MessageCodec::of::<Json>()],
    &[MessageCodec::of::<Json>()],
);
static NUMBER: MethodTypes<u32, u32> = MethodTypes::new(
    &BOUNDED,
    &[MessageCodec::of::<Json>()],
    &[MessageCodec::of::<Json>()],
);

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_the_deadline() {
    let channel = Channel::new(DeadlineLayer::default().layer(Dripping));
    let start = Instant::now();
    let request = Request::new(0).with_timeout(250 * MS);
    let mut numbers = client::server_streaming(&channel, &NUMBERS, request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(numbers.message().await.unwrap(), Some(1));
    assert_eq!(numbers.message().await.unwrap(), Some(1));
    let status = numbers.message().await.unwrap_err();
    assert_expired(&status);
    assert_eq!(start.elapsed(), 250 * MS);
    assert_eq!(numbers.message().await.unwrap(), None, "and it stays ended");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_always_has_something_ends_too() {
    let channel = Channel::new(DeadlineLayer::default().layer(Flooding));
    let request = Request::new(0).with_timeout(250 * MS);
    let mut numbers = client::server_streaming(&channel, &NUMBERS, request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(numbers.message().await.unwrap(), Some(1));
    sleep(250 * MS).await;
    // The clock is looked at now and then.
    let status = loop {
        match numbers.message().await {
            Ok(message) => assert_eq!(message, Some(1)),
            Err(status) => break status,
        }
    };
    assert_expired(&status);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_deadline_goes_on() {
    let channel = Channel::new(DeadlineLayer::default().layer(Dripping));
    let mut numbers = client::server_streaming(&channel, &NUMBERS, Request::new(0))
        .await
        .unwrap()
        .into_inner();
    for _ in 0..1000 {
        assert_eq!(numbers.message().await.unwrap(), Some(1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_unary_call_counts() {
    struct Silent;
    struct Never;
    impl Stage for Silent {
        async fn call(&self, _: &mut Call<'_>) -> Result<Reply> {
            Ok(Reply::new(Body::Incoming(Box::new(Never))))
        }
    }
    impl Incoming for Never {
        fn poll_message(&mut self, _: &mut Poller<'_>) -> Poll<Option<Result<Bytes>>> {
            Poll::Pending
        }

        fn detach(&mut self) -> Box<dyn Incoming> {
            unreachable!("it is owned")
        }
    }
    let channel = Channel::new(DeadlineLayer::default().layer(Silent));
    let start = Instant::now();
    assert_expired(
        &client::unary(&channel, &NUMBER, Request::new(0))
            .await
            .unwrap_err(),
    );
    assert_eq!(start.elapsed(), 200 * MS);
}

#[tokio::test(start_paused = true)]
async fn an_inbound_call_bounds_those_it_causes() {
    let seen = Seen::default();
    let channel = Channel::new(DeadlineLayer::default().layer(seen.clone()));
    let inbound = Context::new().with_deadline(Deadline::after(70 * MS));
    let outbound = inbound.enter(|| client::unary(&channel, &NUMBER, Request::new(0)));
    sleep(20 * MS).await;
    // Its reply is empty; what it saw is what counts.
    let _empty = outbound.await.unwrap_err();
    assert_eq!(*seen.0.lock().unwrap(), Some(50 * MS));
}
