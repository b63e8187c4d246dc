//! One of five instances becomes twenty times slower, another one fails: how long callers feel it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rpc_core::{Stage as _, Status};
use rpc_lb::{EndpointsConfig, balance::P2c};
use tokio::time::Instant;

use crate::fleet::{FakeTransport, Fleet, address, call};

/// What a healthy instance takes.
const USUAL: Duration = Duration::from_millis(10);
/// 500 calls a second, whatever becomes of them.
const EVERY: Duration = Duration::from_millis(2);

/// A call: when it began, what it took, and whether it succeeded.
type Made = (Instant, Duration, bool);

/// Calls for so long, without waiting for answers.
async fn load(fleet: &Arc<Fleet>, length: Duration) -> Vec<Made> {
    let made = Arc::new(Mutex::new(Vec::new()));
    let mut calls = tokio::task::JoinSet::new();
    let end = Instant::now() + length;
    while Instant::now() < end {
        let (fleet, made) = (Arc::clone(fleet), Arc::clone(&made));
        calls.spawn(async move {
            let started = Instant::now();
            let result = fleet.pick.call(&mut call()).await;
            made.lock()
                .unwrap()
                .push((started, started.elapsed(), result.is_ok()));
        });
        tokio::time::sleep(EVERY).await;
    }
    calls.join_all().await;
    std::mem::take(&mut *made.lock().unwrap())
}

/// The latency that 99 of 100 calls stay below, and the share of calls that failed, of those that began at a time.
fn judge(made: &[Made], from: Instant, until: Instant) -> (Duration, f64) {
    let mut took: Vec<_> = made
        .iter()
        .filter(|(started, ..)| (from..until).contains(started))
        .map(|(_, took, is_ok)| (*took, *is_ok))
        .collect();
    took.sort();
    let failed = took.iter().filter(|(_, is_ok)| !is_ok).count();
    #[allow(clippy::cast_precision_loss)]
    let share = failed as f64 / took.len() as f64;
    (took[took.len() * 99 / 100].0, share)
}

#[tokio::test(start_paused = true)]
async fn a_slow_one_and_a_failing_one_are_felt_for_less_than_ten_seconds() {
    let mut config = EndpointsConfig::default();
    config.balancer = Arc::new(P2c::new().with_seed(7));
    let (fleet, _registrations) = Fleet::routed(FakeTransport::default(), config).with(5).await;
    fleet.until_ready(5).await;
    let fleet = Arc::new(fleet);
    for n in 0..5 {
        fleet.transport.of(&address(n)).delay(USUAL);
    }
    let start = Instant::now();
    let made = load(&fleet, Duration::from_secs(10)).await;
    let (healthy, _) = judge(&made, start, Instant::now());

    fleet.transport.of(&address(1)).delay(USUAL * 20);
    let failing = fleet.transport.of(&address(3));
    failing.delay(Duration::ZERO);
    failing.behave(|_| Err(Status::internal("broken")));
    let broke = Instant::now();
    // Beyond the time of the first ejection, so that coming back is a part of it.
    let made = load(&fleet, Duration::from_mins(1)).await;

    for second in 10..60 {
        let from = broke + Duration::from_secs(second);
        let (p99, failed) = judge(&made, from, from + Duration::from_secs(1));
        assert!(
            p99 <= healthy.mul_f64(1.5),
            "{second} s after: {p99:?}, not {healthy:?}"
        );
        assert!(failed <= 0.02, "{second} s after: {failed} failed");
    }
}
