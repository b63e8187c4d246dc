//! Consistent hashing.

use std::{collections::HashMap, sync::Arc};

use rpc_core::Call;
use rpc_lb::{
    Balancer, Endpoint,
    balance::{HashKey, HashOf, LoadBound, Maglev, RingHash},
    endpoint::InFlight,
};

use super::List;
use crate::fleet::{call, instance};

const KEYS: usize = 20_000;

fn ring() -> RingHash {
    RingHash::new(HashKey::Extension).with_bound(LoadBound::off())
}

fn maglev() -> Maglev {
    Maglev::new(HashKey::Extension).with_bound(LoadBound::off())
}

/// A call with a hash of its own.
fn hashed(key: u64) -> Call<'static> {
    let mut call = call();
    // Whatever the keys are, their hashes are spread.
    call.extensions
        .insert(HashOf(fastrand::Rng::with_seed(key).u64(..)));
    call
}

#[allow(clippy::cast_precision_loss)]
fn part(of: usize, all: usize) -> f64 {
    of as f64 / all as f64
}

/// The share of the keys that go to another endpoint in the other list.
fn moved(one: &List, other: &List) -> f64 {
    let calls = (0..KEYS as u64).map(hashed);
    let moved = calls.filter(|call| one.id(call) != other.id(call)).count();
    part(moved, KEYS)
}

fn balancers() -> [Box<dyn Balancer>; 2] {
    [Box::new(ring()), Box::new(maglev())]
}

#[test]
fn who_leaves_takes_little_more_than_its_own_keys_along() {
    for balancer in balancers() {
        for n in [3, 10, 50, 300] {
            let all = List::of(&*balancer, n);
            let others = List::with(&*balancer, (0..n).filter(|i| *i != n / 2).map(instance));
            let share = moved(&all, &others);
            assert!(share <= part(1, n) + 0.05, "{}: {share} of {n}", balancer.name());
            assert!(share > 0.0);
        }
    }
}

#[test]
fn a_change_of_weight_moves_as_much_as_it_changes() {
    let weights = [100, 100, 100, 100, 100];
    for balancer in balancers() {
        let before = List::weighted(&*balancer, &weights);
        let after = List::weighted(&*balancer, &[200, 100, 100, 100, 100]);
        // A fifth becomes a third.
        let share = moved(&before, &after);
        assert!(
            share <= 1.0 / 3.0 - 1.0 / 5.0 + 0.05,
            "{}: {share}",
            balancer.name()
        );
    }
}

#[test]
fn the_order_of_the_list_does_not_matter() {
    for balancer in balancers() {
        let one = List::with(&*balancer, (0..20).map(instance));
        let other = List::with(&*balancer, (0..20).rev().map(instance));
        assert!(moved(&one, &other) <= 0.0, "{}", balancer.name());
    }
}

#[test]
fn shares_are_by_weight() {
    for (balancer, tolerance) in [
        (Box::new(maglev()) as Box<dyn Balancer>, 0.01),
        (Box::new(ring().with_points(2000)), 0.03),
    ] {
        let weights = [100, 200, 300, 400];
        let list = List::weighted(&*balancer, &weights);
        let mut counts = [0_u32; 4];
        for key in 0..100_000 {
            counts[list.pick(&hashed(key))] += 1;
        }
        for (count, weight) in counts.iter().zip(weights) {
            let (share, due) = (f64::from(*count) / 100_000.0, f64::from(weight) / 1000.0);
            assert!(
                (share - due).abs() <= tolerance,
                "{}: {share} of {due}",
                balancer.name()
            );
        }
    }
}

#[test]
fn whoever_is_light_has_a_slot_and_no_more() {
    let mut weights = [1; 1000];
    weights[500] = u32::MAX;
    let list = List::weighted(&maglev(), &weights);
    let light = (0..KEYS as u64)
        .filter(|key| list.pick(&hashed(*key)) != 500)
        .count();
    let due = part(999, Maglev::SIZE as usize);
    assert!((part(light, KEYS) - due).abs() < 0.005, "{light} of {KEYS}");
}

#[test]
fn a_key_goes_to_one_endpoint_and_another_attempt_to_the_same_other_one() {
    for balancer in balancers() {
        let list = List::of(&*balancer, 10);
        for key in 0..100 {
            let call = hashed(key);
            let picks: Vec<_> = (0..4).map(|attempt| list.pick_again(&call, attempt)).collect();
            let again: Vec<_> = (0..4).map(|attempt| list.pick_again(&call, attempt)).collect();
            assert_eq!(picks, again);
            let different: std::collections::HashSet<_> = picks.iter().collect();
            assert_eq!(different.len(), 4, "{}", balancer.name());
        }
    }
}

#[test]
fn metadata_is_a_key_and_who_has_none_goes_anywhere() {
    let key = HashKey::metadata("x-user");
    let list = List::of(&RingHash::new(key), 10);
    let mut call = call();
    call.metadata.insert("x-user", "alice").unwrap();
    let first = list.pick(&call);
    assert!((0..50).all(|_| list.pick(&call) == first));

    let anybody = crate::fleet::call();
    let went: std::collections::HashSet<_> = (0..200).map(|_| list.pick(&anybody)).collect();
    assert!(went.len() > 5);
}

#[test]
fn a_key_that_everybody_asks_for_overloads_nobody() {
    let bound = LoadBound::new(1.25).unwrap();
    let balancers: [Box<dyn Balancer>; 2] = [
        Box::new(ring().with_bound(bound)),
        Box::new(maglev().with_bound(bound)),
    ];
    for balancer in balancers {
        let list = List::of(&*balancer, 10);
        let call = hashed(1);
        let own = list.pick(&call);
        let mut under_way: Vec<InFlight<Arc<Endpoint>>> = Vec::new();
        let mut counts = HashMap::<usize, usize>::new();
        for _ in 0..100 {
            let index = list.pick(&call);
            under_way.push(InFlight::begin(Arc::clone(&list.endpoints[index]), None));
            *counts.entry(index).or_default() += 1;
        }
        // 1.25 times the mean of 10, and the mean is looked at every other pick.
        let most = counts.values().max().unwrap();
        assert!(*most <= 13, "{}: {counts:?}", balancer.name());
        drop(under_way);
        // With room again it is back where it belongs.
        list.pick(&call);
        assert_eq!(list.pick(&call), own);
    }
}

#[test]
fn settings_that_cannot_be_kept_are_refused() {
    assert!(LoadBound::new(1.0).is_none());
    assert!(LoadBound::new(f32::NAN).is_none());
    assert!(maglev().with_size(65_536).is_none());
    assert!(maglev().with_size(5_000_021).is_none());
    assert!(maglev().with_size(65_537).is_some());
}
