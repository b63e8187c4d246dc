//! What a client sees of what there is.

use std::{ops::Range, sync::Arc};

use rpc_core::context::Lane;
use rpc_registry::{
    Amendment, BadRecord, Fault, Filter, Instance, InstanceState, Rendezvous, Target, Update,
    follow::HoldBack,
};

use super::support::{Client, draining, id, instance};

fn sees(target: &str, instance: &Instance) -> bool {
    let target: Target = target.parse().unwrap();
    Filter::of_target(&target).unwrap().passes(instance)
}

#[test]
fn callers_see_the_group_they_ask_for_and_no_other() {
    let (none, vip) = (instance(1), instance(2).with_group("vip"));
    let both = instance(3).with_group("vip").with_group("default");
    for (target, expected) in [
        ("memory:///shop", [true, false, true]),
        ("memory:///shop?group=vip", [false, true, true]),
        ("memory:///shop?group=default", [true, false, true]),
        ("memory:///shop?group=other", [false, false, false]),
        ("memory:///shop?group=*", [true, true, true]),
    ] {
        assert_eq!(
            [&none, &vip, &both].map(|i| sees(target, i)),
            expected,
            "{target}"
        );
    }
}

#[test]
fn versions_and_protocols_narrow_too() {
    let v1 = instance(1).with_version("v1");
    assert!(sees("memory:///shop?version=v1,v2", &v1));
    assert!(!sees("memory:///shop?version=v2", &v1));
    assert!(!sees("memory:///shop?version=v1", &instance(2)));
    assert!(sees("memory:///shop?protocol=grpc", &v1));
    assert!(!sees("memory:///shop?protocol=framed", &v1));
    let error = Filter::of_target(&"memory:///shop?group=".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("`group` is empty"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn moving_instances_between_groups_is_no_disappearance() {
    let mut default = Client::new();
    let mut vip = Client::with(|config| config.filter.group = Some("vip".to_owned()));
    for client in [&mut default, &mut vip] {
        client.list(0..10);
        for n in 0..9 {
            let mut moved = instance(n);
            Amendment::new().with_groups(["vip"]).apply(&mut moved);
            client.put(moved);
        }
        client.settle().await;
    }
    assert_eq!(default.counts(), (1, 0));
    assert_eq!(vip.counts(), (9, 0));
}

#[tokio::test(start_paused = true)]
async fn a_bad_record_hides_nobody_and_keeps_the_last_good_one() {
    let mut client = Client::new();
    client.list(0..3);
    client.settle().await;
    let bad = Err(BadRecord::new(id(1), Fault::invalid("weight", "is no number")));
    let too_much = Ok(instance(7).with_weight(u32::MAX));
    client.tell(Ok(Update::Snapshot(vec![
        Ok(instance(0)),
        bad,
        Ok(instance(2)),
        Ok(instance(3)),
        too_much,
    ])));
    client.settle().await;
    assert_eq!(
        client.sees.keys().collect::<Vec<_>>(),
        ["i-00000", "i-00001", "i-00002", "i-00003"]
    );
    let mut refused: Vec<_> = client.follow.view().refused;
    refused.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(
        refused.iter().map(|bad| bad.id.clone()).collect::<Vec<_>>(),
        [id(1), id(7)]
    );
    assert!(
        refused
            .iter()
            .all(|bad| bad.fault.to_string().contains("`weight`")),
        "{refused:?}"
    );
    client.list(0..4);
    client.settle().await;
    assert!(client.follow.view().refused.is_empty());
}

#[tokio::test(start_paused = true)]
async fn amendments_are_told_at_once_and_alone() {
    let mut client = Client::new();
    client.list(0..100);
    client.settle().await;
    client.put(instance(5).with_state(InstanceState::Draining).with_weight(7));
    let change = client.follow.next().await;
    assert!(change.gone.is_empty());
    assert_eq!(change.put.len(), 1);
    assert_eq!(change.put[0].instance.weight, 7);
}

#[tokio::test(start_paused = true)]
async fn a_large_fleet_is_narrowed_and_a_lost_place_is_filled() {
    let mut client = Client::with(|config| config.narrow = Some(Arc::new(Rendezvous::new("me", 25))));
    client.list(0..400);
    client.settle().await;
    assert_eq!(client.counts(), (25, 0));
    let one: usize = client.sees.keys().next().unwrap()[2..].parse().unwrap();
    let before = client.sees.clone();
    client.gone([one]);
    client.settle().await;
    assert_eq!(client.counts(), (25, 0));
    assert_eq!(
        client.sees.keys().filter(|id| before.contains_key(*id)).count(),
        24
    );
}

#[tokio::test(start_paused = true)]
async fn a_place_in_a_narrowed_fleet_is_for_who_is_up_and_each_lane_has_its_own() {
    let mut client = Client::with(|config| config.narrow = Some(Arc::new(Rendezvous::new("me", 25))));
    let of = |n: usize| match n {
        0..200 => instance(n),
        200..300 => instance(n).with_state(InstanceState::Disabled),
        _ => instance(n).with_lane(Lane::new("blue").unwrap()),
    };
    (0..303).for_each(|n| client.put(of(n)));
    client.settle().await;
    let seen = |client: &Client, of: Range<usize>| {
        let numbers = client.sees.keys().map(|id| id[2..].parse::<usize>().unwrap());
        numbers.filter(|n| of.contains(n)).collect::<Vec<_>>()
    };
    let base = seen(&client, 0..200);
    assert_eq!(base.len(), 25);
    assert!(seen(&client, 200..300).is_empty());
    assert_eq!(seen(&client, 300..303).len(), 3);

    // One that drains is told so, and its place is filled.
    client.put(draining(base[0]));
    client.settle().await;
    let now = seen(&client, 0..200);
    assert_eq!(now.len(), 26);
    assert!(base.iter().all(|n| now.contains(n)));
}

#[tokio::test(start_paused = true)]
async fn one_that_went_several_times_at_once_is_gone_once() {
    let mut client = Client::with(|config| config.hold_back = HoldBack::off());
    client.list(0..1);
    client.settle().await;
    client.gone([0, 0]);
    client.settle().await;
    assert_eq!(client.counts().0, 0);
    // One of two, named as often as there are.
    client.list(0..2);
    client.settle().await;
    client.gone([0, 0]);
    client.settle().await;
    assert_eq!(client.counts(), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_whose_last_record_was_bad_goes_like_any_other() {
    let mut client = Client::with(|config| config.hold_back = HoldBack::off());
    client.list(0..2);
    let bad = Err(BadRecord::new(id(1), Fault::invalid("weight", "is no number")));
    let (put, gone) = (vec![bad], Vec::new());
    client.tell(Ok(Update::Delta { put, gone }));
    client.settle().await;
    assert_eq!(client.counts(), (2, 0), "the last good one stays");
    client.gone([1]);
    client.settle().await;
    assert_eq!(client.counts(), (1, 0));
    assert!(client.follow.view().refused.is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_whose_last_record_was_bad_can_go_like_any_other() {
    let mut client = Client::new();
    client.list(0..10);
    client.settle().await;
    let bad = BadRecord::new(id(3), Fault::invalid("weight", "is a colour"));
    let (put, gone) = (vec![Err(bad)], Vec::new());
    client.tell(Ok(Update::Delta { put, gone }));
    client.settle().await;
    assert_eq!((client.counts().0, client.follow.view().refused.len()), (10, 1));
    client.gone([3]);
    client.settle().await;
    assert_eq!((client.counts().0, client.follow.view().refused.len()), (9, 0));
}
