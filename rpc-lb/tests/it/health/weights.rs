//! What endpoints weigh.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use rpc_core::{Status, transport::LinkState};
use rpc_lb::{Endpoints, EndpointsConfig};
use rpc_registry::{Fault, MemoryRegistry, Registry as _, Resolver, Source, Update, Watch};

use crate::fleet::{FakeTransport, Fleet, address, in_process, instance};

const SECOND: Duration = Duration::from_secs(1);

fn near(is: f32, expected: f32) {
    assert!((is - expected).abs() < 2.0, "{is}, not {expected}");
}

/// Calls for so long, ten a second.
async fn calls_for(fleet: &Fleet, seconds: usize) {
    fleet.calls(seconds * 10, SECOND / 10).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_later_grows_into_its_share() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    let _new = fleet.announce(&instance(3).with_weight(200)).await;
    fleet.until_ready(4).await;
    near(fleet.weight(3), 20.0);
    for n in 0..3 {
        near(fleet.weight(n), 100.0);
    }
    calls_for(&fleet, 15).await;
    let half = fleet.weight(3);
    assert!((86.0..=101.0).contains(&half), "{half}");
    calls_for(&fleet, 17).await;
    near(fleet.weight(3), 200.0);
}

#[tokio::test(start_paused = true)]
async fn the_record_tells_the_age() {
    let fleet = Fleet::new();
    let now = SystemTime::now();
    let mut registrations = Vec::new();
    let starts = [now - 3600 * SECOND, now - 15 * SECOND, now + 3600 * SECOND];
    for (n, start) in starts.into_iter().enumerate() {
        registrations.push(fleet.announce(&instance(n).with_started_at(start)).await);
    }
    fleet.until_ready(3).await;
    near(fleet.weight(0), 100.0);
    near(fleet.weight(1), 50.0);
    // Its clock is ahead: it is as young as it can be, and for one window at most.
    near(fleet.weight(2), 10.0);
    calls_for(&fleet, 32).await;
    near(fleet.weight(2), 100.0);
    // Started anew under its old name and address.
    registrations[0]
        .amend(&instance(0).with_started_at(SystemTime::now()))
        .await
        .unwrap();
    calls_for(&fleet, 1).await;
    assert!(fleet.weight(0) < 20.0, "{}", fleet.weight(0));
}

#[tokio::test(start_paused = true)]
async fn where_all_are_young_nobody_is_held_back() {
    let fleet = Fleet::new();
    let mut registrations = Vec::new();
    for n in 0..3 {
        let start = SystemTime::now() - SECOND * u32::try_from(n).unwrap();
        registrations.push(fleet.announce(&instance(n).with_started_at(start)).await);
    }
    fleet.until_ready(3).await;
    for n in 0..3 {
        near(fleet.weight(n), 100.0);
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_grown_ones_cannot_be_called_nobody_is_held_back() {
    let (fleet, _registrations) = Fleet::new().with(2).await;
    fleet.until_ready(2).await;
    let mut young = Vec::new();
    for n in 2..4 {
        young.push(fleet.announce(&instance(n)).await);
    }
    fleet.until_ready(4).await;
    near(fleet.weight(2), 10.0);
    let failing = LinkState::Failing(Status::unavailable("gone"));
    for n in 0..2 {
        fleet.transport.of(&address(n)).set(failing.clone());
    }
    fleet.until_ready(2).await;
    near(fleet.weight(2), 100.0);
    fleet.transport.of(&address(0)).set(LinkState::Ready);
    fleet.until_ready(3).await;
    near(fleet.weight(2), 10.0);
}

/// A registry that takes a second for each answer.
struct Slow(MemoryRegistry);

struct SlowWatch(Box<dyn Watch>);

impl Resolver for Slow {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(SlowWatch(self.0.resolver_of("test").watch()))
    }
}

#[async_trait]
impl Watch for SlowWatch {
    async fn next(&mut self) -> Result<Update, Fault> {
        tokio::time::sleep(SECOND).await;
        self.0.next().await
    }
}

#[tokio::test(start_paused = true)]
async fn those_on_the_first_list_of_another_target_are_not_young() {
    let [quick, slow] = [MemoryRegistry::new(), MemoryRegistry::new()];
    let _first = quick.announce("test", &instance(0)).await.unwrap();
    let _second = slow.announce("test", &instance(1)).await.unwrap();
    let sources = vec![
        Source::new("memory:///quick", Arc::new(quick.resolver_of("test"))),
        Source::new("memory:///slow", Arc::new(Slow(slow.clone()))),
    ];
    let transport = Arc::new(FakeTransport::default());
    let endpoints = Endpoints::of_sources(sources, transport, EndpointsConfig::default());
    endpoints.start().unwrap();
    let weights_of = async |n: usize| {
        while endpoints.snapshot().counts().ready < n {
            tokio::time::sleep(SECOND / 1000).await;
        }
        let views = endpoints.view().into_iter();
        let by_id: BTreeMap<_, _> = views
            .map(|view| (view.instance.id.clone(), view.weight))
            .collect();
        by_id.into_values().collect::<Vec<_>>()
    };
    assert_eq!(weights_of(1).await, [100.0]);
    assert_eq!(weights_of(2).await, [100.0, 100.0]);
    let _third = slow.announce("test", &instance(2)).await.unwrap();
    near(weights_of(3).await[2], 10.0);
}

#[tokio::test(start_paused = true)]
async fn an_amended_weight_is_learnt() {
    let (fleet, mut registrations) = Fleet::new().with(2).await;
    fleet.until_ready(2).await;
    registrations[1].amend(&instance(1).with_weight(7)).await.unwrap();
    fleet
        .until(|snapshot| {
            snapshot
                .ready()
                .iter()
                .any(|endpoint| endpoint.instance().weight == 7)
        })
        .await;
    near(fleet.weight(1), 7.0);
    near(fleet.weight(0), 100.0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_again_and_again_costs_weight_for_a_while() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    let link = fleet.transport.of(&address(1));
    for lost in 1..=4 {
        link.set(LinkState::Connecting);
        fleet.until_ready(2).await;
        link.set(LinkState::Ready);
        fleet.until_ready(3).await;
        if lost == 1 {
            near(fleet.weight(1), 100.0);
        }
    }
    near(fleet.weight(1), 25.0);
    calls_for(&fleet, 70).await;
    near(fleet.weight(1), 100.0);
}

#[tokio::test(start_paused = true)]
async fn few_successes_cost_weight_though_failures_are_never_in_a_row() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    let turn = std::sync::atomic::AtomicUsize::new(0);
    fleet.transport.of(&address(1)).behave(move |_| {
        let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if turn.is_multiple_of(2) {
            Err(super::broken())
        } else {
            Ok(())
        }
    });
    calls_for(&fleet, 40).await;
    let weight = fleet.weight(1);
    assert!((40.0..=60.0).contains(&weight), "{weight}");
    assert_eq!(fleet.endpoints.snapshot().counts().sick, 0);
}

#[tokio::test(start_paused = true)]
async fn a_near_one_without_weight_leaves_the_calls_to_those_that_have_some() {
    let mut config = EndpointsConfig::default();
    config.near = in_process(["i-0"]);
    let fleet = Fleet::routed(FakeTransport::default(), config);
    let near = instance(0).with_weight(0);
    let _near = fleet.announce(&near).await;
    let far = fleet.announce(&instance(1)).await;
    fleet.until_ready(2).await;
    assert_eq!(fleet.tally(10).await, [(address(1), 10)].into());
    drop(far);
    fleet.until_ready(1).await;
    assert_eq!(fleet.tally(10).await, [("local:i-0".to_owned(), 10)].into());
}
