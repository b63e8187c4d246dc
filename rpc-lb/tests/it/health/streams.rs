//! Calls whose answer, or whose request, is a stream.

use std::{
    sync::Arc,
    task::{Context as Poller, Poll},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    Body, Context, Method, MethodDescriptor, Reply, Shape, Stage as _, Status, context::Deadline,
    message::Incoming,
};
use rpc_lb::{
    Balancer, EndpointsConfig,
    balance::{P2c, Prequal, ShortestResponse},
    health::Sickness,
};
use tokio::time::Instant;

use crate::fleet::{FakeTransport, Fleet, METHOD, address, call};

static STREAM: MethodDescriptor = MethodDescriptor::new("/test.Service/Stream", Shape::ServerStreaming);
static UPLOAD: MethodDescriptor = MethodDescriptor::new("/test.Service/Upload", Shape::ClientStreaming);
static TALK: MethodDescriptor = MethodDescriptor::new("/test.Service/Talk", Shape::Bidi);

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
    fleet_of(1, end).await
}

/// So many instances whose streams end like this.
async fn fleet_of(n: usize, end: Option<Status>) -> Fleet {
    let (fleet, registrations) = Fleet::new().with(n).await;
    // The registrations end with the test's process.
    std::mem::forget(registrations);
    fleet.until_ready(n).await;
    for n in 0..n {
        let end = end.clone();
        fleet.transport.of(&address(n)).answer(move || {
            let mut messages = vec![Ok(Bytes::new()), Ok(Bytes::new())];
            messages.extend(end.clone().map(Err));
            Reply::new(Body::Incoming(Box::new(Messages(messages))))
        });
    }
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
async fn is_a_success_when_its_reader_drops_it() {
    let fleet = fleet(None).await;
    let mut stream = open(&fleet).await;
    let _ = next(&mut *stream).await;
    let stream = stream.detach();
    assert_eq!(in_flight(&fleet), 1);
    drop(stream);
    assert_eq!(in_flight(&fleet), 0);
    assert_eq!(fleet.endpoint(0).stats().take_counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn fails_when_it_is_dropped_after_its_deadline() {
    let fleet = fleet(None).await;
    let mut call = call();
    call.method = Method::from(&STREAM);
    call.context = Context::new().with_deadline(Deadline::after(Duration::from_millis(50)));
    let reply = fleet.pick.call(&mut call).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    drop(reply);
    assert_eq!(fleet.endpoint(0).stats().take_counts(), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn makes_up_for_failures_though_it_is_dropped() {
    let pause = Duration::from_millis(100);
    // Nobody takes the time of calls to the only one that there is.
    for instances in [1, 5] {
        let fleet = fleet_of(instances, None).await;
        fleet.break_down(0);
        fleet.calls(4 * instances, pause).await;
        fleet.mend(0);
        let before = fleet.view(0);
        assert_eq!(before.consecutive_failures, 4);
        for _ in 0..instances {
            drop(open(&fleet).await);
        }
        let after = fleet.view(0);
        assert_eq!(after.consecutive_failures, 0);
        assert!(after.success > before.success, "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn brings_back_the_weight_though_all_are_dropped() {
    let pause = Duration::from_millis(100);
    let fleet = fleet(None).await;
    fleet.break_down(0);
    fleet.calls(60, pause).await;
    assert!(fleet.weight(0) < 11.0, "{}", fleet.weight(0));
    fleet.mend(0);
    for _ in 0..60 {
        drop(open(&fleet).await);
        tokio::time::sleep(pause).await;
    }
    assert!(fleet.weight(0) > 99.0, "{}", fleet.weight(0));
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

#[tokio::test(start_paused = true)]
async fn does_not_make_a_slow_one_look_fast() {
    let fleet = fleet_of(5, None).await;
    for n in 0..5 {
        fleet.transport.of(&address(n)).delay(Duration::from_millis(10));
    }
    fleet.transport.of(&address(4)).delay(Duration::from_millis(200));
    for round in 0..160 {
        for n in 0..5 {
            // Most of the calls that the slow one gets in its turn are streams, which nobody times to their ends.
            if n == 4 && round % 5 > 0 {
                let mut stream = open(&fleet).await;
                while next(&mut *stream).await.is_some() {}
            } else {
                let _ = fleet.call().await;
            }
        }
    }
    let sickness = fleet.view(4).sickness;
    assert!(matches!(sickness, Some(Sickness::Ejected(_))), "{sickness:?}");
}

#[tokio::test(start_paused = true)]
async fn takes_as_long_as_its_caller_sends() {
    for method in [&UPLOAD, &TALK] {
        let fleet = fleet_of(2, None).await;
        let link = fleet.transport.of(&address(0));
        link.delay(Duration::from_mins(10));
        for _ in 0..2 {
            let mut call = call();
            call.method = Method::from(method);
            drop(fleet.pick.call(&mut call).await.unwrap());
        }
        let (endpoint, now) = (fleet.endpoint(0), Instant::now());
        assert_eq!(endpoint.stats().latency(now), None, "{}", method.path());
        assert_eq!(endpoint.stats().take_counts(), (1, 0));
        assert_eq!(endpoint.stats().take_timed(), (0, Duration::ZERO));

        // How it ends says as much as it does of others.
        link.behave(|_| Err(super::broken()));
        for _ in 0..2 {
            let mut call = call();
            call.method = Method::from(method);
            let _ = fleet.pick.call(&mut call).await;
        }
        assert!(endpoint.stats().reliability(Instant::now()) < 1.0);
        assert_eq!(endpoint.stats().latency(Instant::now()), None);
    }
}

async fn balanced_by(balancer: Arc<dyn Balancer>) -> Fleet {
    let mut config = EndpointsConfig::default();
    config.balancer = balancer;
    let (fleet, registrations) = Fleet::routed(FakeTransport::default(), config).with(2).await;
    std::mem::forget(registrations);
    fleet.until_ready(2).await;
    fleet
}

async fn upload(fleet: &Fleet) -> bool {
    let mut call = call();
    call.method = Method::from(&UPLOAD);
    fleet.pick.call(&mut call).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_is_as_rare_among_streams_as_it_is() {
    let fleet = balanced_by(Arc::new(ShortestResponse::default().with_seed(1))).await;
    for _ in 0..200 {
        assert!(upload(&fleet).await);
    }
    let link = fleet.transport.of(&address(0));
    link.behave(|_| Err(super::broken()));
    while upload(&fleet).await {}
    link.behave(|_| Ok(()));
    let recent = fleet.endpoint(0).stats().recent(Instant::now());
    assert_eq!(recent.errors, 1);
    assert!(recent.calls > 50 && !recent.has_latency(), "{recent:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_all_streams_attracts_none() {
    for balancer in [
        Arc::new(Prequal::default().with_seed(1)) as Arc<dyn Balancer>,
        Arc::new(P2c::new().with_seed(1)),
    ] {
        let name = balancer.name();
        let fleet = balanced_by(balancer).await;
        let link = fleet.transport.of(&address(0));
        link.behave(|_| Err(Status::unknown("a test does this")));
        let mut failed = 0;
        for _ in 0..200 {
            failed += usize::from(!upload(&fleet).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(failed < 50, "{name}: {failed} of 200");
    }
}
