//! Instances that vanish without having said so.

use std::time::Duration;

use rpc_registry::HoldBack;

use super::support::{Client, draining, id, instance};

const PROTECTION: Duration = Duration::from_mins(5);

#[tokio::test(start_paused = true)]
async fn a_mass_expiry_is_held_back_and_applied_when_the_protection_ends() {
    let mut client = Client::new();
    client.list(0..100);
    client.settle().await;
    client.gone(10..100);
    client.wait(Duration::from_secs(299)).await;
    assert_eq!(client.counts(), (100, 90));
    assert!(
        client
            .sees
            .iter()
            .all(|(id, suspect)| *suspect == (id.as_str() >= "i-00010"))
    );
    client.wait(Duration::from_secs(2)).await;
    assert_eq!(client.counts(), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn leases_that_end_one_after_the_other_are_a_mass_expiry_too() {
    let mut client = Client::new();
    client.list(0..100);
    client.settle().await;
    for n in 0..90 {
        client.gone([n]);
        client.wait(Duration::from_millis(100)).await;
    }
    let (seen, suspects) = client.counts();
    // 15 of 100 may always go.
    assert_eq!((seen, suspects), (85, 75));
}

#[tokio::test(start_paused = true)]
async fn those_that_cannot_be_connected_to_are_dropped_and_the_others_stay() {
    let mut client = Client::new();
    client.list(0..10);
    client.settle().await;
    client.list(0..2);
    client.settle().await;
    assert_eq!(client.counts(), (10, 8));
    for n in 5..10 {
        client.follow.dismiss(&id(n));
    }
    // One that is listed is not dropped by that.
    client.follow.dismiss(&id(0));
    client.settle().await;
    assert_eq!(client.counts(), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn those_that_come_back_are_suspects_no_more() {
    let mut client = Client::new();
    client.list(0..10);
    client.settle().await;
    client.absent();
    client.settle().await;
    assert_eq!(client.counts(), (10, 10));
    client.list(0..10);
    client.wait(2 * PROTECTION).await;
    assert_eq!(client.counts(), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_new_and_empty_registry_empties_nobody() {
    for fleet in [1, 2, 3, 50] {
        let mut client = Client::new();
        client.list(0..fleet);
        client.settle().await;
        client.away();
        client.absent();
        client.wait(Duration::from_secs(50)).await;
        assert_eq!(client.counts(), (fleet, fleet));
        // The providers announce themselves anew.
        client.list(0..fleet);
        client.wait(PROTECTION * 2).await;
        assert_eq!(client.counts(), (fleet, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_rolling_restart_is_never_held_back() {
    for fleet in [3, 5] {
        // Marked, then taken out; the new one has another id.
        let mut client = Client::new();
        client.list(0..fleet);
        client.settle().await;
        for n in 0..fleet {
            client.put(draining(n));
            client.gone([n]);
            client.settle().await;
            assert_eq!(client.counts(), (fleet - 1, 0));
            client.put(instance(fleet + n));
            client.settle().await;
            assert_eq!(client.counts(), (fleet, 0));
        }
        // Killed, and started anew under another id.
        let mut client = Client::new();
        client.list(0..fleet);
        client.settle().await;
        for n in 0..fleet {
            client.gone([n]);
            client.settle().await;
            assert_eq!(client.counts(), (fleet - 1, 0));
            client.put(instance(fleet + n));
            client.settle().await;
        }
        assert_eq!(client.counts(), (fleet, 0));
        // All announced at once, which is a stop and no accident.
        for n in fleet..2 * fleet {
            client.put(draining(n));
        }
        client.absent();
        client.settle().await;
        assert_eq!(client.counts(), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_new_ones_are_a_replacement() {
    let mut client = Client::new();
    client.list(0..10);
    client.settle().await;
    client.list(10..20);
    client.settle().await;
    assert_eq!(client.counts(), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_few_may_go_and_what_went_long_ago_does_not_count() {
    let mut client = Client::new();
    client.list(0..20);
    client.settle().await;
    for round in 0..3 {
        client.gone([3 * round, 3 * round + 1]);
        client.settle().await;
        let left = 20 - 2 * (round + 1);
        assert_eq!(client.counts(), (left, 0));
        client.wait(Duration::from_secs(61)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_one_is_held_for_a_minute() {
    let mut client = Client::new();
    client.list([1]);
    client.settle().await;
    client.gone([1]);
    client.wait(Duration::from_secs(59)).await;
    assert_eq!(client.counts(), (1, 1));
    client.wait(Duration::from_secs(2)).await;
    assert_eq!(client.counts(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn it_can_be_switched_off_and_for_ever() {
    let mut client = Client::with(|config| config.hold_back = HoldBack::off());
    client.list(0..100);
    client.settle().await;
    client.absent();
    client.settle().await;
    assert_eq!(client.counts(), (0, 0));

    let mut client = Client::with(|config| config.hold_back.empty = Duration::MAX);
    client.list(0..2);
    client.settle().await;
    client.absent();
    client.wait(Duration::from_hours(1000)).await;
    assert_eq!(client.counts(), (2, 2));
}
