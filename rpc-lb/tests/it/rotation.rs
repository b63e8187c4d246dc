//! Who gets the calls.

use std::{collections::HashMap, sync::Arc};

use rpc_core::{Status, transport::LinkState};
use rpc_registry::InstanceState;

use crate::fleet::{FakeTransport, Fleet, address, instance, settle};

fn each(instances: impl IntoIterator<Item = usize>, calls: usize) -> HashMap<String, usize> {
    instances.into_iter().map(|n| (address(n), calls)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_gets_its_turn() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    assert_eq!(fleet.tally(300).await, each(0..3, 100));
}

#[tokio::test(start_paused = true)]
async fn a_new_one_gets_its_share() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    fleet.tally(100).await;
    let _fourth = fleet.announce(&instance(3)).await;
    fleet.until_ready(4).await;
    assert_eq!(fleet.tally(400).await, each(0..4, 100));
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_is_left_out_until_it_is_back() {
    let (fleet, _registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    let link = fleet.transport.of(&address(1));
    link.set(LinkState::Failing(Status::unavailable("refused")));
    fleet.until_ready(2).await;
    assert_eq!(fleet.tally(200).await, each([0, 2], 100));
    link.set(LinkState::Ready);
    fleet.until_ready(3).await;
    assert_eq!(fleet.tally(300).await, each(0..3, 100));
}

#[tokio::test(start_paused = true)]
async fn ready_ones_are_preferred_to_those_that_connect() {
    let (fleet, _registrations) = Fleet::over(FakeTransport::by_hand()).with(3).await;
    fleet.until(|snapshot| snapshot.counts().connecting == 3).await;
    fleet.transport.of(&address(2)).set(LinkState::Ready);
    fleet.until_ready(1).await;
    assert_eq!(fleet.tally(10).await, each([2], 10));
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_connected_ahead() {
    let (fleet, _registrations) = Fleet::new().with(2).await;
    fleet.until_ready(2).await;
    let _third = fleet.announce(&instance(2)).await;
    fleet.until_ready(3).await;
    for n in 0..3 {
        assert_eq!(
            fleet
                .transport
                .of(&address(n))
                .connects
                .load(std::sync::atomic::Ordering::Relaxed),
            1
        );
        assert_eq!(fleet.transport.of(&address(n)).calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn draining_and_disabled_ones_get_no_calls_and_keep_their_connection() {
    let (fleet, mut registrations) = Fleet::new().with(3).await;
    fleet.until_ready(3).await;
    registrations[0]
        .amend(&instance(0).with_state(InstanceState::Draining))
        .await
        .unwrap();
    registrations[1]
        .amend(&instance(1).with_state(InstanceState::Disabled))
        .await
        .unwrap();
    fleet.until(|snapshot| snapshot.counts().off == 2).await;
    assert_eq!(fleet.tally(50).await, each([2], 50));
    for n in 0..2 {
        assert_eq!(
            fleet
                .transport
                .of(&address(n))
                .closes
                .load(std::sync::atomic::Ordering::Relaxed),
            0
        );
    }
    // A mistake of the operator's is taken back.
    registrations[1].amend(&instance(1)).await.unwrap();
    fleet.until_ready(2).await;
    assert_eq!(fleet.tally(100).await, each([1, 2], 50));
}

#[tokio::test(start_paused = true)]
async fn what_changes_in_place_keeps_endpoint_and_link() {
    let (fleet, mut registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    let before = fleet.endpoints.snapshot().ready()[0].clone();
    registrations[0]
        .amend(&instance(0).with_weight(7).with_zone("b"))
        .await
        .unwrap();
    settle().await;
    let after = fleet.endpoints.snapshot().ready()[0].clone();
    assert!(Arc::ptr_eq(&before, &after));
    assert_eq!(after.instance().weight, 7);
    assert_eq!(fleet.transport.made(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_address_under_an_old_id_is_another_endpoint() {
    let (fleet, mut registrations) = Fleet::new().with(1).await;
    fleet.until_ready(1).await;
    let old = fleet.transport.of(&address(0));
    let mut moved = instance(9);
    moved.id = instance(0).id;
    registrations[0].amend(&moved).await.unwrap();
    settle().await;
    assert_eq!(old.closes.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(fleet.tally(3).await, each([9], 3));
}

#[tokio::test(start_paused = true)]
async fn a_used_connection_is_made_again_and_an_unused_one_is_not() {
    let (fleet, _registrations) = Fleet::new().with(2).await;
    fleet.until_ready(2).await;
    let link = fleet.transport.of(&address(0));
    let connects = || link.connects.load(std::sync::atomic::Ordering::Relaxed);
    // Nobody has called: it may rest.
    link.set(LinkState::Idle);
    fleet.until_ready(1).await;
    assert_eq!(connects(), 1);
    link.set(LinkState::Ready);
    fleet.until_ready(2).await;
    fleet.tally(2).await;
    link.set(LinkState::Idle);
    fleet.until_ready(2).await;
    settle().await;
    assert_eq!(connects(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_reached_is_tried_again_only_for_calls() {
    let (fleet, _registrations) = Fleet::new().with(2).await;
    fleet.until_ready(2).await;
    fleet.tally(2).await;
    let link = fleet.transport.of(&address(0));
    let connects = || link.connects.load(std::sync::atomic::Ordering::Relaxed);
    link.set(LinkState::Failing(Status::unavailable("refused")));
    fleet.until_ready(1).await;
    // Nobody has called for so long that the link gave up.
    link.set(LinkState::Idle);
    settle().await;
    assert_eq!(connects(), 1);
    fleet.tally(1).await;
    settle().await;
    assert_eq!(connects(), 2);
}
