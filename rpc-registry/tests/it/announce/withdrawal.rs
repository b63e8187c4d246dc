//! How an announcement ends.

use std::time::Duration;

use rpc_registry::{Amendment, AnnounceState, Fault, FaultKind};
use tokio::time::{Instant, sleep, timeout};

use super::{Leases, Running, lost_in_silence, run, settle, shop};

#[tokio::test(start_paused = true)]
async fn the_withdrawal_marks_first() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    running.handle.withdraw();
    running.task.await.unwrap().unwrap();
    assert_eq!(
        registry.log(),
        ["announce shop up", "amend draining 100", "withdraw"]
    );
    assert!(matches!(*running.state.borrow(), AnnounceState::Withdrawn));
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_tries_again_and_ends_in_three_seconds() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.broken = Some(Fault::transient("no leader")));
    let start = Instant::now();
    running.handle.withdraw();
    sleep(Duration::from_secs(1)).await;
    registry.with(|state| state.broken = None);
    running.task.await.unwrap().unwrap();
    assert!(registry.record().is_none());
    assert!(start.elapsed() < Duration::from_secs(2));

    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.with(|state| state.hangs = true);
    let start = Instant::now();
    running.handle.withdraw();
    running.task.await.unwrap().unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    // It is still there, and that is said.
    assert!(registry.record().is_some());
    assert!(matches!(*running.state.borrow(), AnnounceState::Left(_)));
}

/// Withdraws it, and waits for the end.
async fn ends_at_once(running: Running) {
    // Others keep a handle as well.
    let handle = running.handle.clone();
    handle.withdraw();
    let ended = timeout(Duration::from_secs(1), running.task).await;
    ended.expect("it waits for nobody").unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_does_not_wait_for_a_record_that_is_being_read_back() {
    // Of its own accord, and before an amendment.
    for amendment in [Amendment::new(), Amendment::new().with_weight(7)] {
        let registry = Leases::default();
        registry.with(|state| state.reading_takes = Duration::from_hours(1));
        let running = run(&registry, shop(), 1);
        running.handle.set_healthy(true);
        settle().await;
        running.handle.amend(&amendment);
        while registry.with(|state| state.verified) == 0 {
            settle().await;
        }
        registry.log();
        ends_at_once(running).await;
        let log = registry.log();
        assert!(log.ends_with(&["withdraw".to_owned()]), "{log:?}");
        assert_eq!(log.len(), 2, "marked and taken out, and no more: {log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_does_not_wait_for_a_renewal() {
    let registry = Leases::default();
    let running = run(&registry, shop(), 1);
    running.handle.set_healthy(true);
    settle().await;
    registry.log();
    registry.with(|state| state.hangs = true);
    while registry.log().is_empty() {
        settle().await;
    }
    registry.with(|state| state.hangs = false);
    ends_at_once(running).await;
    assert_eq!(registry.record(), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_renewed_in_time_is_taken_out_nevertheless() {
    let registry = Leases::default();
    let running = lost_in_silence(&registry).await;
    // It is back, and has kept the record; nothing was announced since.
    registry.with(|state| state.hangs = false);
    running.handle.withdraw();
    running.task.await.unwrap().unwrap();
    assert_eq!(registry.record(), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_confirmed_may_be_left() {
    // Stopped meanwhile, and between two attempts, of which the second was refused.
    for waits in [Duration::ZERO, Duration::from_mins(2)] {
        let registry = Leases::default();
        registry.with(|state| state.writing_takes = Duration::from_hours(1));
        let running = run(&registry, shop(), 1);
        running.handle.set_healthy(true);
        settle().await;
        registry.with(|state| state.broken = Some(Fault::new(FaultKind::Denied, "read only")));
        sleep(waits).await;
        running.handle.withdraw();
        running.task.await.unwrap().unwrap();
        assert_eq!(registry.record(), Some(shop()));
        assert!(matches!(*running.state.borrow(), AnnounceState::Left(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_or_confirmed_later_is_not_left() {
    let registry = Leases::default();
    for broken in [
        Fault::new(FaultKind::Denied, "read only"),
        Fault::transient("no leader"),
    ] {
        registry.with(|state| state.broken = Some(broken.clone()));
        let running = run(&registry, shop(), 1);
        running.handle.set_healthy(true);
        settle().await;
        if broken.kind() == FaultKind::Transient {
            registry.with(|state| state.broken = None);
            sleep(Duration::from_mins(1)).await;
            assert!(running.is_announced());
        }
        running.handle.withdraw();
        running.task.await.unwrap().unwrap();
        assert_eq!(registry.record(), None);
        assert!(matches!(*running.state.borrow(), AnnounceState::Withdrawn));
    }
}
