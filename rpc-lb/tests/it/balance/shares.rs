//! Who gets how much.

use std::time::Duration;

use rpc_core::status::Verdict;
use rpc_lb::{
    Balancer,
    balance::{LeastRequest, LeastRequestConfig, P2c, Random, ShortestResponse, Smart, Weighted},
    endpoint::InFlight,
};

use super::List;
use crate::fleet::call;

const PICKS: usize = 100_000;

/// All that go by weight, on numbers that are the same each time.
fn weighted() -> Vec<Box<dyn Balancer>> {
    let mut envoys = LeastRequestConfig::default();
    envoys.active_request_bias = Some(1.0);
    let mut of_five = LeastRequestConfig::default();
    of_five.choices = 5;
    vec![
        Box::new(Weighted::starting_at(17)),
        Box::new(Random::new().with_seed(1)),
        Box::new(P2c::new().with_seed(2)),
        Box::new(LeastRequest::default().with_seed(3)),
        Box::new(LeastRequest::new(of_five).unwrap().with_seed(4)),
        Box::new(LeastRequest::new(envoys).unwrap().with_seed(5)),
        Box::new(ShortestResponse::default().with_seed(6)),
        Box::new(Smart::default().with_seed(7)),
    ]
}

fn counts(list: &List, picks: usize) -> Vec<usize> {
    let call = call();
    let mut counts = vec![0; list.endpoints.len()];
    for _ in 0..picks {
        counts[list.pick(&call)] += 1;
    }
    counts
}

fn assert_shares(name: &str, counts: &[usize], weights: &[u32]) {
    assert_shares_within(0.01, name, counts, weights);
}

#[allow(clippy::cast_precision_loss)]
fn assert_shares_within(tolerance: f64, name: &str, counts: &[usize], weights: &[u32]) {
    let sum: u32 = weights.iter().sum();
    let picks: usize = counts.iter().sum();
    for (index, (count, weight)) in counts.iter().zip(weights).enumerate() {
        let share = *count as f64 / picks as f64;
        let wanted = f64::from(*weight) / f64::from(sum);
        assert!(
            (share - wanted).abs() < tolerance,
            "{name}: {index} of {weights:?} got {share:.4}, not {wanted:.4}"
        );
    }
}

#[test]
fn each_gets_its_share_by_weight() {
    let many: Vec<u32> = (0..300).map(|n| n % 7 * 50).collect();
    for weights in [
        &[100, 100][..],
        &[100, 200],
        &[1, 1000],
        &[100, 100, 100, 50, 0],
        &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
        &[0, 0, 0],
        &many,
    ] {
        let even = vec![1; weights.len()];
        let wanted = if weights.iter().all(|weight| *weight == 0) {
            &even
        } else {
            weights
        };
        for balancer in weighted() {
            let list = List::weighted(&*balancer, weights);
            assert_shares(balancer.name(), &counts(&list, PICKS), wanted);
        }
    }
}

/// Calls of a millisecond, one every five.
#[test]
fn each_gets_its_share_by_weight_of_calls_that_end() {
    // Of two, one is as young as it can be.
    for weights in [&[100, 1][..], &[100, 10], &[100, 100, 10]] {
        for balancer in weighted() {
            let mut list = List::weighted(&*balancer, weights);
            let call = call();
            let mut counts = vec![0; weights.len()];
            for nth in 0..50_000 {
                if nth % 200 == 0 {
                    list.picker.refresh(&list.endpoints, list.now);
                }
                let picked = list.pick(&call);
                counts[picked] += 1;
                let ended = list.now + Duration::from_millis(1);
                InFlight::begin(&*list.endpoints[picked], Some(list.now)).end(Verdict::Healthy, || ended);
                list.now += Duration::from_millis(5);
            }
            // Means of the last seconds differ by what rounding leaves, for a second at a time.
            assert_shares_within(0.03, balancer.name(), &counts, weights);
        }
    }
}

#[test]
fn a_slow_one_gets_next_to_nothing_unless_it_has_most_of_the_weight() {
    for (weights, wanted) in [(&[20, 20, 20, 21][..], 0..=200), (&[100, 10], 82_000..=84_000)] {
        let list = List::weighted(&P2c::new().with_seed(1), weights);
        for (n, endpoint) in list.endpoints.iter().enumerate() {
            let ended = list.now + Duration::from_millis(if n == 0 { 200 } else { 10 });
            InFlight::begin(&**endpoint, Some(list.now)).end(Verdict::Healthy, || ended);
        }
        let slow = counts(&list, PICKS)[0];
        assert!(wanted.contains(&slow), "{weights:?}: {slow}");
    }
}

#[test]
fn who_has_no_weight_gets_nothing() {
    for balancer in weighted() {
        let list = List::weighted(&*balancer, &[100, 0, 50, 0]);
        let counts = counts(&list, PICKS);
        assert_eq!((counts[1], counts[3]), (0, 0), "{}", balancer.name());
    }
}

#[test]
fn a_weight_that_changes_counts_from_the_next_refresh_on() {
    for balancer in weighted() {
        let list = List::weighted(&*balancer, &[100, 100, 100]);
        counts(&list, 100);
        list.endpoints[0].stats().set_weight(10.0);
        list.endpoints[1].stats().set_weight(30.0);
        list.picker.refresh(&list.endpoints, list.now);
        assert_shares(balancer.name(), &counts(&list, PICKS), &[10, 30, 100]);
        // And even again.
        for endpoint in &list.endpoints {
            endpoint.stats().set_weight(7.0);
        }
        list.picker.refresh(&list.endpoints, list.now);
        assert_shares(balancer.name(), &counts(&list, PICKS), &[1, 1, 1]);
    }
}

#[test]
fn the_same_seed_picks_the_same() {
    let picks = |seed| {
        let p2c = P2c::new().with_seed(seed);
        let list = List::weighted(&p2c, &[100, 50, 20, 10]);
        let call = call();
        (0..1000).map(|_| list.pick(&call)).collect::<Vec<_>>()
    };
    assert_eq!(picks(7), picks(7));
    assert_ne!(picks(7), picks(8));
}

#[test]
#[allow(clippy::cast_precision_loss)]
fn turns_by_weight_are_spread() {
    let weights: Vec<u32> = vec![500, 300, 100, 50, 30, 10, 5, 5];
    let balancer = Weighted::starting_at(0);
    let list = List::weighted(&balancer, &weights);
    let call = call();
    let picks: Vec<usize> = (0..20_000).map(|_| list.pick(&call)).collect();
    for (index, weight) in weights.iter().enumerate() {
        let share = f64::from(*weight) / 1000.0;
        let turns = picks.iter().enumerate().filter(|(_, picked)| **picked == index);
        let turns: Vec<usize> = turns.map(|(turn, _)| turn).collect();
        let mut gaps: Vec<usize> = turns.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let longest = *gaps.iter().max().unwrap() as f64;
        assert!(
            longest <= 2.7 / share,
            "{index}: waited {longest} for a share of {share}"
        );
        // The three-distance theorem.
        gaps.sort_unstable();
        gaps.dedup();
        assert!(gaps.len() <= 3, "{index}: {gaps:?}");
        // In any run of calls: its share, give or take a few.
        let mut so_far = vec![0_usize];
        for picked in &picks {
            so_far.push(so_far[so_far.len() - 1] + usize::from(*picked == index));
        }
        let off = so_far
            .iter()
            .enumerate()
            .map(|(turn, count)| *count as f64 - turn as f64 * share);
        let (least, most) = off.fold((0.0_f64, 0.0_f64), |(least, most), off| {
            (least.min(off), most.max(off))
        });
        assert!(most - least <= 4.0, "{index}: {least} to {most}");
    }
}

#[test]
fn turns_of_one_weight_are_a_round() {
    let list = List::of(&Weighted::starting_at(5), 6);
    let call = call();
    let picks: Vec<usize> = (0..12).map(|_| list.pick(&call)).collect();
    assert_eq!(picks, [5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4]);
}

#[test]
fn many_threads_get_the_same_shares() {
    let weights = [10, 20, 30, 40];
    for balancer in weighted() {
        let list = List::weighted(&*balancer, &weights);
        let mut all = vec![0; 4];
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| counts(&list, PICKS / 4))).collect();
            // Taken over meanwhile, again and again.
            for turn in 0..100_u8 {
                list.endpoints[0]
                    .stats()
                    .set_weight(10.0 + f32::from(turn % 2) * 0.01);
                list.picker
                    .refresh(&list.endpoints, list.now + Duration::from_secs(1));
            }
            for thread in threads {
                for (sum, count) in all.iter_mut().zip(thread.join().unwrap()) {
                    *sum += count;
                }
            }
        });
        assert_shares(balancer.name(), &all, &weights);
    }
}
