//! Calls whose answer is a stream.

use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use rpc_core::{Body, Method, MethodDescriptor, Reply, Shape, Stage as _, Status, message::Incoming};

use crate::fleet::{Fleet, METHOD, address, call};

static STREAM: MethodDescriptor = MethodDescriptor::new("/test.Service/Stream", Shape::ServerStreaming);

/// Some messages, then an end.
struct Messages(Vec<Result<Bytes, Status>>);

impl Incoming for Messages {
    fn poll_message(&mut self, _: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        Poll::Ready((!self.0.is_empty()).then(|| self.0.remove(0)))
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(std::mem::take(&mut self.0)))
    }
}

async fn fleet(end: Option<Status>) -> Fleet {
    let (fleet, registrations) = Fleet::new().with(1).await;
    // The registrations end with the test's process.
    std::mem::forget(registrations);
    fleet.until_ready(1).await;
    fleet.transport.of(&address(0)).answer(move || {
        let mut messages = vec![Ok(Bytes::new()), Ok(Bytes::new())];
        messages.extend(end.clone().map(Err));
        Reply::new(Body::Incoming(Box::new(Messages(messages))))
    });
    fleet
}

async fn open(fleet: &Fleet) -> Box<dyn Incoming> {
    let mut call = call();
    call.method = Method::from(&STREAM);
    match fleet.pick.call(&mut call).await.unwrap().body {
        Body::Incoming(stream) => stream,
        other => panic!("{other:?}"),
    }
}

async fn next(stream: &mut dyn Incoming) -> Option<Result<Bytes, Status>> {
    std::future::poll_fn(|cx| stream.poll_message(cx)).await
}

fn in_flight(fleet: &Fleet) -> u32 {
    fleet.endpoint(0).stats().in_flight()
}

#[tokio::test(start_paused = true)]
async fn is_in_flight_until_it_has_ended() {
    let fleet = fleet(None).await;
    let mut stream = open(&fleet).await;
    let _other = open(&fleet).await;
    assert_eq!(in_flight(&fleet), 2);
    while next(&mut *stream).await.is_some() {
        assert_eq!(in_flight(&fleet), 2);
    }
    assert_eq!(in_flight(&fleet), 1);
    assert_eq!(fleet.endpoint(0).stats().take_counts(), (1, 0));
    drop(stream);
    assert_eq!(in_flight(&fleet), 1);
}

#[tokio::test(start_paused = true)]
async fn is_given_up_when_it_is_dropped() {
    let fleet = fleet(None).await;
    let mut stream = open(&fleet).await;
    let _ = next(&mut *stream).await;
    let stream = stream.detach();
    assert_eq!(in_flight(&fleet), 1);
    drop(stream);
    assert_eq!(in_flight(&fleet), 0);
    assert_eq!(fleet.endpoint(0).stats().take_counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn fails_by_its_end() {
    let fleet = fleet(Some(super::broken())).await;
    let mut stream = open(&fleet).await;
    while next(&mut *stream).await.is_some() {}
    assert_eq!(in_flight(&fleet), 0);
    assert_eq!(fleet.endpoint(0).stats().take_counts(), (0, 1));
    assert_eq!(fleet.endpoint(0).stats().consecutive_failures(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_one_message_is_done_at_once() {
    let fleet = fleet(None).await;
    let mut call = call();
    assert_eq!(call.method.path(), Method::from(&METHOD).path());
    let _reply = fleet.pick.call(&mut call).await.unwrap();
    assert_eq!(in_flight(&fleet), 0);
}
