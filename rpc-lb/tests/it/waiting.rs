//! What happens to a call while there is no endpoint to go to.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use rpc_core::{Code, Stage as _, Status, net::Address, status::reason, transport::LinkState};
use rpc_lb::{Endpoints, PickLayer, ToLink};
use rpc_registry::{Fault, Instance, Resolver, Update, Watch};
use tokio::time::timeout;
use tower_layer::Layer as _;

use crate::fleet::{FakeTransport, Fleet, address, call, instance, settle};

const SOON: Duration = Duration::from_secs(5);

fn assert_no_endpoint(status: &Status) {
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.reason(), Some(reason::NO_ENDPOINT));
    assert!(!status.was_processed());
}

#[tokio::test(start_paused = true)]
async fn no_instance_fails_at_once() {
    let fleet = Fleet::new();
    let status = fleet.call().await.unwrap_err();
    assert_no_endpoint(&status);
    assert!(status.message().contains("memory:///test"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_ready_waits_for_an_instance() {
    let fleet = Arc::new(Fleet::new());
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call_waiting(true).await.map(|reply| reply.peer) }
    });
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(!waiting.is_finished());
    let _registration = fleet.announce(&instance(0)).await;
    let peer = timeout(SOON, waiting).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!(peer.to_string(), address(0));
}

#[tokio::test(start_paused = true)]
async fn calls_wait_while_somebody_connects() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    let fleet = Arc::new(fleet);
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call().await.map(|reply| reply.peer) }
    });
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    fleet
        .transport
        .of(&address(0))
        .set(LinkState::Failing(Status::unavailable("refused")));
    settle().await;
    assert!(!waiting.is_finished(), "the other may still come");
    fleet.transport.of(&address(1)).set(LinkState::Ready);
    let peer = timeout(SOON, waiting).await.unwrap().unwrap().unwrap().unwrap();
    assert_eq!(peer.to_string(), address(1));
}

#[tokio::test(start_paused = true)]
async fn all_failing_says_why() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(2).await;
    let fleet = Arc::new(fleet);
    let waiting = tokio::spawn({
        let fleet = Arc::clone(&fleet);
        async move { fleet.call().await }
    });
    fleet.until(|snapshot| snapshot.counts().connecting == 2).await;
    for n in 0..2 {
        let error = Status::unavailable("connection refused").with_reason(reason::CONNECT_FAILED);
        fleet.transport.of(&address(n)).set(LinkState::Failing(error));
    }
    let status = timeout(SOON, waiting).await.unwrap().unwrap().unwrap_err();
    assert_no_endpoint(&status);
    assert!(
        status.message().contains("2 failing") && status.message().contains("connection refused"),
        "{status}"
    );
    let source = status.source().unwrap().downcast_ref::<Status>().unwrap();
    assert_eq!(source.reason(), Some(reason::CONNECT_FAILED));
    // Later calls need not wait for that again.
    assert_no_endpoint(&fleet.call().await.unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn only_draining_ones_take_no_call() {
    let (fleet, mut registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    let draining = instance(0).with_state(rpc_registry::InstanceState::Draining);
    registrations[0].amend(&draining).await.unwrap();
    fleet.until_ready(0).await;
    let status = fleet.call().await.unwrap_err();
    assert_no_endpoint(&status);
    assert!(status.message().contains("1 draining or disabled"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_another_protocol_is_no_endpoint() {
    let fleet = Fleet::new();
    let address: Address = "10.0.0.1:1".parse().unwrap();
    let _registration = fleet
        .announce(&Instance::new("other").with_address("smoke-signals", address))
        .await;
    let status = fleet.call().await.unwrap_err();
    assert_no_endpoint(&status);
    assert!(status.message().contains("1 of another protocol"), "{status}");
    assert_eq!(fleet.transport.made(), 0);
}

#[tokio::test(start_paused = true)]
async fn idle_endpoints_are_connected_when_somebody_calls() {
    let (fleet, _registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    fleet.transport.of(&address(0)).set(LinkState::Idle);
    fleet.until_ready(0).await;
    timeout(SOON, fleet.call()).await.unwrap().unwrap();
    assert_eq!(
        fleet.transport.of(&address(0)).connects.load(Ordering::Relaxed),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn what_rested_while_nobody_called_is_connected_though_another_is_ready() {
    let (fleet, _registrations) = Fleet::new().with(2).await;
    fleet.until_ready(2).await;
    let link = fleet.transport.of(&address(1));
    for connects in 2..4 {
        // Long after the last call, one of them ends for want of use.
        tokio::time::sleep(Duration::from_mins(30)).await;
        link.set(LinkState::Idle);
        fleet.until_ready(1).await;
        settle().await;
        assert_eq!(
            link.connects.load(Ordering::Relaxed),
            connects - 1,
            "it may rest until somebody calls"
        );
        timeout(SOON, fleet.call()).await.unwrap().unwrap();
        fleet.until_ready(2).await;
        assert_eq!(link.connects.load(Ordering::Relaxed), connects);
    }
}

/// Fails so many times before it tells of one instance.
struct Flaky(usize);

struct FlakyWatch {
    faults: usize,
    asked: Arc<AtomicUsize>,
}

impl Resolver for Flaky {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(FlakyWatch {
            faults: self.0,
            asked: Arc::default(),
        })
    }
}

#[async_trait]
impl Watch for FlakyWatch {
    async fn next(&mut self) -> Result<Update, Fault> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        match asked.cmp(&self.faults) {
            std::cmp::Ordering::Less => Err(Fault::transient("no route to registry")),
            std::cmp::Ordering::Equal => Ok(Update::Snapshot(vec![Ok(instance(0))])),
            std::cmp::Ordering::Greater => std::future::pending().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_cannot_be_asked_fails_calls_and_comes_back() {
    let endpoints = Endpoints::new(
        "flaky:///shop",
        Arc::new(Flaky(5)),
        Arc::new(FakeTransport::default()),
    );
    let pick = PickLayer::new(endpoints.clone()).layer(ToLink);
    let status = pick.call(&mut call()).await.unwrap_err();
    assert_no_endpoint(&status);
    assert!(status.message().contains("no route to registry"), "{status}");
    assert!(status.source().unwrap().is::<Fault>());
    let mut waiting = call();
    waiting.options.wait_for_ready = Some(true);
    timeout(Duration::from_mins(1), pick.call(&mut waiting))
        .await
        .unwrap()
        .unwrap();
    pick.call(&mut call()).await.unwrap();
}

#[test]
fn a_call_outside_of_a_runtime_says_so() {
    let fleet = Fleet::new();
    let mut call = call();
    let future = std::pin::pin!(fleet.pick.call(&mut call));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(status)) = future.poll(&mut cx) else {
        panic!("it must fail at once")
    };
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("runtime"), "{status}");
}
