//! The part of a fleet that a client connects to.

use std::collections::{HashMap, HashSet};

use rpc_core::{Status, context::Lane, transport::LinkState};
use rpc_lb::{EndpointsConfig, Near, Subsetting};
use rpc_registry::{InstanceId, InstanceState};

use crate::fleet::{FakeTransport, Fleet, address, instance};

fn ids(n: usize) -> Vec<InstanceId> {
    (0..n).map(|n| InstanceId::from(format!("i-{n}"))).collect()
}

/// How many clients each instance has: the fewest and the most.
fn spread(ids: &[InstanceId], clients: impl Iterator<Item = Subsetting>) -> (usize, usize) {
    let mut counts: HashMap<_, usize> = ids.iter().map(|id| (id, 0)).collect();
    for client in clients {
        for id in client.choose(ids) {
            *counts.get_mut(id).unwrap() += 1;
        }
    }
    (*counts.values().min().unwrap(), *counts.values().max().unwrap())
}

#[test]
fn clients_with_ordinals_spread_evenly() {
    for instances in [10, 100, 997] {
        let ids = ids(instances);
        for clients in [10, 64, 300] {
            for size in [5, 20] {
                let of = |client| Subsetting::ordinal(size, client).of_clients(clients);
                let (least, most) = spread(&ids, (0..clients).map(of));
                assert!(
                    most - least <= 1,
                    "{instances} x {clients} of {size}: {least} to {most}"
                );
            }
        }
    }
}

#[test]
fn without_knowing_how_many_they_are_they_spread_nearly_as_evenly() {
    for instances in [10, 100] {
        let ids = ids(instances);
        for clients in [333, 1000, 3000] {
            let size = 30;
            let (least, most) = spread(&ids, (0..clients).map(|client| Subsetting::ordinal(size, client)));
            assert!(
                most * 10 <= least * 12,
                "{instances} x {clients}: {least} to {most}"
            );
        }
    }
}

#[test]
fn one_that_leaves_moves_little() {
    let all = ids(300);
    let fewer: Vec<_> = all.iter().filter(|id| id.as_str() != "i-77").cloned().collect();
    for by in [
        Subsetting::ordinal(20, 3).of_clients(40),
        Subsetting::ordinal(20, 3),
        Subsetting::seed(20, 9),
    ] {
        let before: HashSet<_> = by.choose(&all).into_iter().collect();
        let after: HashSet<_> = by.choose(&fewer).into_iter().collect();
        assert_eq!(after.len(), 20);
        assert!(before.difference(&after).count() <= 2, "{by:?}");
    }
}

#[test]
fn a_small_fleet_is_used_whole() {
    let ids = ids(3);
    assert_eq!(Subsetting::new(20).choose(&ids).len(), 3);
    assert_eq!(Subsetting::ordinal(3, 7).choose(&ids).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn those_that_are_near_are_used_besides() {
    let mut config = EndpointsConfig::default();
    let subsetting = Subsetting::seed(5, 1);
    config.subsetting = Some(subsetting);
    let ids = ids(50);
    let chosen = subsetting.choose(&ids);
    let near = ids.iter().find(|id| !chosen.contains(id)).unwrap().clone();
    let local = format!("local:{}", near.as_str());
    config.near = Near::new().in_process(move |one| (one.id == near).then(|| near.as_str().into()));
    let fleet = Fleet::routed(FakeTransport::default(), config);
    let (fleet, _registrations) = fleet.with(50).await;
    fleet.until_ready(6).await;
    let tally = fleet.tally(10).await;
    assert_eq!(tally.into_keys().collect::<Vec<_>>(), [local]);
}

#[tokio::test(start_paused = true)]
async fn only_the_part_is_connected_to_and_who_drains_is_replaced() {
    let mut config = EndpointsConfig::default();
    config.subsetting = Some(Subsetting::seed(5, 1));
    let fleet = Fleet::routed(FakeTransport::default(), config);
    let (fleet, mut registrations) = fleet.with(50).await;
    let blue = Lane::new("blue").unwrap();
    let _blue = fleet.announce(&instance(50).with_lane(blue)).await;
    // A part of each lane.
    fleet.until_ready(6).await;
    assert_eq!(fleet.transport.made(), 6);

    let snapshot = fleet.endpoints.snapshot();
    let number = |id: &InstanceId| id.as_str().trim_start_matches("i-").parse::<usize>().unwrap();
    let chosen = snapshot
        .ready()
        .iter()
        .map(|endpoint| number(endpoint.id()))
        .find(|n| *n < 50)
        .unwrap();
    let draining = instance(chosen).with_state(InstanceState::Draining);
    registrations[chosen].amend(&draining).await.unwrap();
    fleet
        .until(|snapshot| snapshot.counts().off == 1 && snapshot.counts().ready == 6)
        .await;
    assert_eq!(fleet.transport.made(), 7);
}

#[tokio::test(start_paused = true)]
async fn where_the_part_cannot_be_reached_calls_say_that_there_are_others() {
    let mut config = EndpointsConfig::default();
    let subsetting = Subsetting::seed(3, 1);
    config.subsetting = Some(subsetting);
    let fleet = Fleet::routed(FakeTransport::default(), config);
    let (fleet, _registrations) = fleet.with(50).await;
    fleet.until_ready(3).await;
    assert_eq!(fleet.endpoints.snapshot().counts().left_out, 47);
    let all = ids(50);
    for id in subsetting.choose(&all) {
        let n = all.iter().position(|other| other == id).unwrap();
        let gone = LinkState::Failing(Status::unavailable("gone"));
        fleet.transport.of(&address(n)).set(gone);
    }
    fleet.until_ready(0).await;
    let nobody = fleet.call().await.unwrap_err();
    assert!(
        nobody
            .message()
            .contains("(3 failing, 47 not in the part that this client connects to)"),
        "{nobody}"
    );
}
