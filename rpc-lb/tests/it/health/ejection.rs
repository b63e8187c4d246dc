//! Ejection and panic, as calls see them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use rpc_core::{Stage as _, Status, context::Deadline, status::reason, transport::LinkState};
use rpc_lb::{
    Balancer, Endpoint, EndpointState, HealthConfig, PickRequest, Picker, RoundRobin,
    health::{EjectConfig, EjectReason, Sickness},
};
use tokio::time::Instant;

use super::broken;
use crate::fleet::{FakeTransport, Fleet, address, call, in_process, in_turn, settle};

const STEP: Duration = Duration::from_millis(10);

/// Calls that got to the n-th instance since the links were made.
fn calls_at(fleet: &Fleet, n: usize) -> usize {
    fleet.transport.of(&address(n)).calls()
}

fn sick(fleet: &Fleet) -> usize {
    fleet.endpoints.snapshot().counts().sick
}

#[tokio::test(start_paused = true)]
async fn the_fifth_failure_ejects_without_waiting_for_a_sweep() {
    let (fleet, _registrations) = Fleet::new().with(5).await;
    fleet.until_ready(5).await;
    fleet.break_down(2);
    // Five rounds, in no time at all.
    for _ in 0..25 {
        let _ = fleet.call().await;
    }
    fleet.until(|snapshot| snapshot.counts().sick == 1).await;
    assert_eq!(calls_at(&fleet, 2), 5);
    assert!(!fleet.tally(100).await.contains_key(&address(2)));
    // Its connection was kept.
    let link = fleet.transport.of(&address(2));
    assert_eq!(link.closes.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_after_its_time_with_little_weight_that_grows() {
    let (fleet, _registrations) = Fleet::new().with(5).await;
    fleet.until_ready(5).await;
    fleet.break_down(2);
    fleet.calls(30, STEP).await;
    assert_eq!(sick(&fleet), 1);
    fleet.mend(2);
    fleet.calls(250, STEP * 10).await;
    assert_eq!(sick(&fleet), 1, "25 seconds are not enough");
    fleet.calls(70, STEP * 10).await;
    assert_eq!(sick(&fleet), 0);
    let little = fleet.weight(2);
    assert!(little < 50.0, "{little}");
    fleet.calls(330, STEP * 10).await;
    assert!((fleet.weight(2) - 100.0).abs() < 1.0, "{}", fleet.weight(2));
    assert!(fleet.tally(50).await.contains_key(&address(2)));
}

#[tokio::test(start_paused = true)]
async fn of_five_one_is_ejected_and_the_other_gets_less() {
    let (fleet, _registrations) = Fleet::new().with(5).await;
    fleet.until_ready(5).await;
    fleet.break_down(2);
    fleet.break_down(3);
    fleet.calls(50, STEP).await;
    assert_eq!(sick(&fleet), 1);
    let weights = [fleet.weight(2), fleet.weight(3)];
    assert!(weights.iter().any(|weight| *weight <= 10.0), "{weights:?}");
}

/// In turn, and counts how often its pickers are told to look again.
#[derive(Debug, Default)]
struct Refreshed(Arc<AtomicUsize>);

#[derive(Debug)]
struct Counting(Box<dyn Picker>, Arc<AtomicUsize>);

impl Balancer for Refreshed {
    fn name(&self) -> &'static str {
        "refreshed"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Counting(RoundRobin::new().picker(endpoints), Arc::clone(&self.0)))
    }
}

impl Picker for Counting {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        self.0.pick(request)
    }

    fn refresh(&self, _: &[Arc<Endpoint>], _: Instant) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

/// The n-th instance goes while so many calls are under way at each of them, which then fail at it, and comes back after a while.
async fn goes_and_comes_back(fleet: &Fleet, n: usize, calls: usize) {
    let ready = fleet.endpoints.snapshot().counts().ready;
    let (endpoint, link) = (fleet.endpoint(n), fleet.transport.of(&address(n)));
    link.delay(STEP);
    link.behave(|_| Err(broken()));
    let goes = async {
        link.set(LinkState::Failing(Status::unavailable("gone")));
        fleet.until_ready(ready - 1).await;
        assert_ne!(endpoint.stats().in_flight(), 0);
    };
    tokio::join!(join_all((0..calls * ready).map(|_| fleet.call())), goes);
    tokio::time::sleep(Duration::from_mins(10)).await;
    link.behave(|_| Ok(()));
    link.set(LinkState::Ready);
    fleet.until_ready(ready).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_went_with_calls_under_way_is_not_ejected_when_it_is_back() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    goes_and_comes_back(&fleet, 1, 10).await;
    // A sweep before any call there has ended.
    fleet.transport.of(&address(1)).delay(Duration::from_secs(5));
    let looks = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(sick(&fleet), 0);
    };
    tokio::join!(join_all((0..3).map(|_| fleet.call())), looks);
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_with_each_call_is_ejected() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    for _ in 0..5 {
        assert_eq!(sick(&fleet), 0);
        goes_and_comes_back(&fleet, 1, 1).await;
    }
    fleet.transport.of(&address(1)).delay(Duration::from_secs(5));
    let looks = fleet.until(|snapshot| snapshot.counts().sick == 1);
    tokio::join!(join_all((0..3).map(|_| fleet.call())), looks);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_spared_and_goes_on_failing_makes_no_work() {
    let mut config = in_turn();
    let refreshed = Arc::<AtomicUsize>::default();
    config.balancer = Arc::new(Refreshed(Arc::clone(&refreshed)));
    let (fleet, _registrations) = Fleet::routed(FakeTransport::default(), config).with(5).await;
    fleet.until_ready(5).await;
    fleet.break_down(2);
    fleet.break_down(3);
    fleet.calls(50, STEP).await;
    assert_eq!(sick(&fleet), 1);
    let before = (
        refreshed.load(Ordering::Relaxed),
        calls_at(&fleet, 2) + calls_at(&fleet, 3),
    );
    // A hundred calls there in four seconds, which is twenty alarms.
    fleet.calls(400, STEP).await;
    assert_eq!(calls_at(&fleet, 2) + calls_at(&fleet, 3), before.1 + 100);
    let more = refreshed.load(Ordering::Relaxed) - before.0;
    assert!(more <= 5, "{more}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_one_that_never_fails_is_ejected() {
    let (fleet, _registrations) = Fleet::new().with(5).await;
    fleet.until_ready(5).await;
    for n in 0..5 {
        fleet.transport.of(&address(n)).delay(Duration::from_millis(10));
    }
    fleet.transport.of(&address(4)).delay(Duration::from_millis(200));
    // Ten seconds are enough.
    fleet.calls(170, STEP).await;
    let view = fleet.view(4);
    assert!(
        matches!(
            view.sickness,
            Some(Sickness::Ejected(ejection)) if matches!(ejection.reason, EjectReason::Latency { .. })
        ),
        "{view:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_answer_in_time_fails_and_one_that_is_given_up_does_not() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    let patience = Duration::from_millis(50);
    let attempt = async |deadline: Option<Deadline>| {
        let mut call = call();
        let _ = match deadline {
            None => tokio::time::timeout(patience, fleet.pick.call(&mut call)).await,
            Some(deadline) => {
                let mut call = call.keep_deadline(deadline);
                tokio::time::timeout(patience, fleet.pick.call(&mut call)).await
            }
        };
    };
    fleet.transport.of(&address(1)).delay(Duration::from_hours(1));
    for _ in 0..60 {
        attempt(None).await;
    }
    assert_eq!(sick(&fleet), 0, "the caller gave up");
    for _ in 0..20 {
        attempt(Some(Deadline::after(patience))).await;
    }
    settle().await;
    assert_eq!(sick(&fleet), 1, "it did not answer in time");
    assert_eq!(fleet.view(1).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_application_and_refusals_eject_nobody() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    let link = fleet.transport.of(&address(1));
    link.behave(|_| Err(Status::not_found("no such thing")));
    fleet.calls(60, STEP).await;
    link.refuse();
    fleet.calls(60, STEP).await;
    assert_eq!(sick(&fleet), 0);
}

#[tokio::test(start_paused = true)]
async fn when_too_many_are_sick_all_get_calls() {
    let mut eject = EjectConfig::new();
    eject.max_percent = 100;
    let health = HealthConfig::new().with_eject(eject);
    let (fleet, _registrations) = Fleet::judged_by(health).with(4).await;
    fleet.until_ready(4).await;
    let is_panicking = || fleet.endpoints.snapshot().subset_for(&call()).is_panicking();
    fleet.break_down(0);
    fleet.break_down(1);
    fleet.calls(40, STEP).await;
    // Half of them is well: no panic yet.
    assert_eq!(sick(&fleet), 2);
    assert!(!is_panicking());
    assert_eq!(fleet.tally(20).await.len(), 2);
    fleet.break_down(2);
    fleet.calls(40, STEP).await;
    assert_eq!(sick(&fleet), 3);
    assert!(is_panicking());
    (0..3).for_each(|n| fleet.mend(n));
    assert_eq!(fleet.tally(20).await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn without_panic_calls_fail_or_wait_until_one_is_back() {
    let mut eject = EjectConfig::new();
    eject.max_percent = 100;
    let health = HealthConfig::new().with_eject(eject).with_panic(0.0);
    let (fleet, _registrations) = Fleet::judged_by(health).with(2).await;
    fleet.until_ready(2).await;
    fleet.break_down(0);
    fleet.break_down(1);
    fleet.calls(20, STEP).await;
    assert_eq!(sick(&fleet), 2);
    let before = calls_at(&fleet, 0) + calls_at(&fleet, 1);
    let nobody = fleet.call().await.unwrap_err();
    assert_eq!(nobody.reason(), Some(reason::NO_ENDPOINT));
    assert!(nobody.message().contains("all sick"), "{nobody}");
    assert_eq!(calls_at(&fleet, 0) + calls_at(&fleet, 1), before);
    (0..2).for_each(|n| fleet.mend(n));
    let waits = fleet.call_waiting(true);
    tokio::time::timeout(Duration::from_mins(1), waits)
        .await
        .expect("nobody let one return")
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn ejection_does_not_outlive_the_fleet_that_it_was_measured_by() {
    let (fleet, mut registrations) = Fleet::new().with(20).await;
    fleet.until_ready(20).await;
    fleet.break_down(0);
    fleet.break_down(1);
    fleet.calls(120, Duration::from_millis(1)).await;
    assert_eq!(sick(&fleet), 2);
    registrations.truncate(12);
    fleet.until_ready(12).await;
    assert_eq!(sick(&fleet), 1, "never above the cap");
}

#[tokio::test(start_paused = true)]
async fn those_that_cannot_be_called_make_no_room_for_ejections() {
    let (fleet, _registrations) = Fleet::new().with(20).await;
    fleet.until_ready(20).await;
    for n in 2..12 {
        let gone = LinkState::Failing(Status::unavailable("gone"));
        fleet.transport.of(&address(n)).set(gone);
    }
    fleet.until_ready(10).await;
    fleet.break_down(0);
    fleet.break_down(1);
    fleet.calls(120, Duration::from_millis(1)).await;
    assert_eq!(sick(&fleet), 1);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_ejected_and_leaves_lets_no_other_one_back() {
    let (fleet, mut registrations) = Fleet::new().with(20).await;
    fleet.until_ready(20).await;
    fleet.break_down(0);
    fleet.break_down(1);
    fleet.calls(120, Duration::from_millis(1)).await;
    // The one leaves that would be back later.
    let until = |n: usize| match fleet.view(n).sickness {
        Some(Sickness::Ejected(ejection)) => ejection.until,
        other => panic!("{other:?}"),
    };
    let leaves = usize::from(until(1) > until(0));
    registrations[leaves].withdraw().await.unwrap();
    fleet.until_ready(19).await;
    assert_eq!(sick(&fleet), 1);
}

#[tokio::test(start_paused = true)]
async fn off_means_that_only_the_connection_counts() {
    let (fleet, _registrations) = Fleet::judged_by(HealthConfig::off()).with(3).await;
    fleet.until_ready(3).await;
    fleet.break_down(0);
    fleet.calls(300, STEP * 10).await;
    assert_eq!(sick(&fleet), 0);
    assert_eq!(calls_at(&fleet, 0), 100);
    assert!(matches!(fleet.view(0).state, EndpointState::Ready));
}

#[tokio::test(start_paused = true)]
async fn near_ones_that_are_sick_get_no_calls_while_the_fleet_is_well() {
    let mut config = in_turn();
    config.near = in_process(["i-0", "i-1", "i-2"]);
    let (fleet, _registrations) = Fleet::routed(FakeTransport::default(), config).with(20).await;
    fleet.until_ready(20).await;
    for near in ["local:i-0", "local:i-1"] {
        fleet.transport.of(near).behave(|_| Err(broken()));
    }
    fleet.calls(30, STEP).await;
    assert_eq!(sick(&fleet), 2);
    assert!(!fleet.endpoints.snapshot().subset_for(&call()).is_panicking());
    let tally = fleet.tally(20).await;
    assert_eq!(tally.into_keys().collect::<Vec<_>>(), ["local:i-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_near_one_that_is_sick_leaves_the_calls_to_the_others() {
    let mut config = in_turn();
    config.near = in_process(["i-0"]);
    let (fleet, _registrations) = Fleet::routed(FakeTransport::default(), config).with(5).await;
    fleet.until_ready(5).await;
    let near = fleet.transport.of("local:i-0");
    assert_eq!(fleet.tally(10).await.len(), 1, "the near one gets all");
    near.behave(|_| Err(broken()));
    for _ in 0..5 {
        let _ = fleet.call().await.unwrap_err();
    }
    fleet.until(|snapshot| snapshot.counts().sick == 1).await;
    let before = near.calls();
    assert_eq!(fleet.tally(20).await.len(), 4);
    assert_eq!(near.calls(), before);
    near.behave(|_| Ok(()));
    fleet.calls(500, STEP * 10).await;
    assert_eq!(sick(&fleet), 0);
    assert_eq!(
        fleet.tally(10).await.len(),
        1,
        "once it is well, it gets them again"
    );
}
