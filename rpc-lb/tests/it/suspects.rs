//! Instances that a registry has lost, while they still answer.

use std::{sync::Arc, time::Duration};

use rpc_core::transport::LinkState;
use rpc_lb::ZoneRouter;
use rpc_registry::{FollowConfig, Freshness, Registration};

use crate::fleet::{FakeTransport, Fleet, address, in_turn, instance, refusal};

/// Ten instances, of a client with the usual caution.
async fn ten() -> (Fleet, Vec<Box<dyn Registration>>) {
    let (fleet, registrations) = Fleet::following(FakeTransport::default(), FollowConfig::default())
        .with(10)
        .await;
    fleet.until_ready(10).await;
    (fleet, registrations)
}

/// The registry forgets all but the first `left`.
fn forget(registrations: &mut Vec<Box<dyn Registration>>, left: usize) {
    registrations.truncate(left);
}

#[tokio::test(start_paused = true)]
async fn those_that_answer_go_on_being_called_until_the_protection_ends() {
    let (fleet, mut registrations) = ten().await;
    forget(&mut registrations, 1);
    fleet.until(|snapshot| snapshot.counts().suspect == 9).await;
    for _ in 0..29 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(
            fleet.tally(20).await.len(),
            10,
            "all are called, not only the one that is listed"
        );
    }
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(fleet.tally(20).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_minority_of_suspects_comes_last() {
    let (fleet, mut registrations) = ten().await;
    forget(&mut registrations, 7);
    fleet.until(|snapshot| snapshot.counts().suspect == 3).await;
    assert_eq!(fleet.tally(20).await.len(), 7);
    // Unless there is nobody else.
    for n in 0..7 {
        fleet.transport.of(&address(n)).set(LinkState::Failing(refusal()));
    }
    fleet.until_ready(3).await;
    assert_eq!(fleet.tally(20).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn those_that_cannot_be_connected_to_are_dropped_at_once() {
    let (fleet, mut registrations) = ten().await;
    // Two are down already when the registry loses them, five go down then.
    for n in 8..10 {
        fleet.transport.of(&address(n)).set(LinkState::Failing(refusal()));
    }
    fleet.until_ready(8).await;
    forget(&mut registrations, 1);
    for n in 3..8 {
        fleet.transport.of(&address(n)).set(LinkState::Failing(refusal()));
    }
    fleet.until(|snapshot| snapshot.counts().failing == 0).await;
    assert_eq!(fleet.endpoints.snapshot().counts().suspect, 2);
    assert_eq!(fleet.tally(20).await.len(), 3);
    assert!(matches!(fleet.endpoints.snapshot().freshness(), Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_keeps_its_link() {
    let (fleet, mut registrations) = ten().await;
    forget(&mut registrations, 0);
    fleet.until(|snapshot| snapshot.counts().suspect == 10).await;
    let (fleet, _registrations) = fleet.with(10).await;
    fleet.until(|snapshot| snapshot.counts().suspect == 0).await;
    assert_eq!(fleet.transport.made(), 10, "no link was made anew");
    assert_eq!(fleet.tally(20).await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn calls_stay_in_their_zone_while_all_are_suspects() {
    let mut config = in_turn();
    config.routers = vec![Arc::new(ZoneRouter::new("a").unwrap())];
    let fleet = Fleet::configured(FakeTransport::default(), config);
    let mut registrations = Vec::new();
    for n in 0..12 {
        let zone = ["a", "b", "c"][n % 3];
        registrations.push(fleet.announce(&instance(n).with_zone(zone)).await);
    }
    fleet.until_ready(12).await;
    let at_home = fleet.tally(20).await;
    assert_eq!(at_home.len(), 4);
    forget(&mut registrations, 0);
    fleet.until(|snapshot| snapshot.counts().suspect == 12).await;
    assert_eq!(fleet.tally(20).await, at_home);
}
