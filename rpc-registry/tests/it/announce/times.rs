//! When a registry is asked for what.

use std::time::Duration;

use rpc_registry::{Amendment, AnnounceConfig, Fault, FaultKind};
use tokio::time::{Instant, sleep};

use super::{LEASE, Leases, Running, run, run_with, settle, shop};

/// Changes its weight all the time.
async fn change_for(running: &Running, time: Duration) {
    let end = Instant::now() + time;
    for weight in (1..=100).cycle() {
        if Instant::now() >= end {
            return;
        }
        running.handle.amend(&Amendment::new().with_weight(weight));
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_however_often_the_instance_changes() {
    let registry = Leases::default();
    registry.with(|state| state.takes = Duration::from_millis(100));
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    change_for(&running, Duration::from_mins(1)).await;
    let log = registry.log();
    let renewals = log.iter().filter(|asked| *asked == "renew").count();
    assert!(
        (10..=14).contains(&renewals),
        "60 s / 5 s, give or take: {renewals}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_however_long_it_takes_to_read_or_to_write() {
    for reading_takes in [Duration::from_secs(30), Duration::from_secs(2)] {
        let registry = Leases::default();
        let mut config = AnnounceConfig::default();
        config.timeout = Duration::from_mins(1);
        config.seed = Some(1);
        let running = run_with(&registry, shop(), config);
        running.handle.set_healthy(true);
        settle().await;
        registry.with(|state| {
            state.reading_takes = reading_takes;
            state.writing_takes = Duration::from_secs(30);
        });
        change_for(&running, Duration::from_mins(10)).await;
        let log = registry.log();
        let announced = log.iter().filter(|asked| asked.starts_with("announce"));
        assert_eq!(announced.count(), 1, "{log:?}");
        let renewed = log.iter().filter(|asked| *asked == "renew").count();
        assert!(renewed > 60, "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_takes_no_amendment_is_not_asked_at_each_change() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.broken = Some(Fault::transient("no leader")));
    change_for(&running, LEASE / 2).await;
    let log = registry.log();
    let amendments = log.iter().filter(|asked| asked.starts_with("amend")).count();
    assert!((2..20).contains(&amendments), "{log:?}");
    registry.with(|state| state.broken = None);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(registry.record(), Some(running.handle.instance()));
}

#[tokio::test(start_paused = true)]
async fn what_a_registry_refused_is_corrected_at_once() {
    let registry = Leases::default();
    registry.with(|state| state.unleased = true);
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.broken = Some(Fault::new(FaultKind::Invalid, "no weight of that kind")));
    running.handle.amend(&Amendment::new().with_weight(7));
    // Until it is tried again seldom.
    sleep(Duration::from_mins(5)).await;
    registry.with(|state| state.broken = None);
    running.handle.amend(&Amendment::new().with_weight(9));
    settle().await;
    assert_eq!(registry.record(), Some(shop().with_weight(9)));
}

#[tokio::test(start_paused = true)]
async fn it_may_be_read_back_all_the_time_or_never() {
    for (verify, expected) in [(Duration::ZERO, 3_600..5_000), (Duration::MAX, 0..1)] {
        let registry = Leases::default();
        registry.with(|state| state.unleased = true);
        let mut config = AnnounceConfig::default();
        config.verify = verify;
        config.seed = Some(1);
        let running = run_with(&registry, shop(), config);
        running.handle.set_healthy(true);
        sleep(Duration::from_mins(7)).await;
        assert!(running.is_announced() && !running.task.is_finished());
        let verified = registry.with(|state| state.verified);
        assert!(expected.contains(&verified), "{verified}");
    }
}
