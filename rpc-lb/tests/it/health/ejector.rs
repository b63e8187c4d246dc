//! Who is ejected, by numbers alone.

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use rpc_lb::health::{
    EjectConfig, EjectReason,
    eject::{Ejector, Sample, What},
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn well(calls: u32) -> Sample {
    taking(10, calls)
}

/// Calls that end well, and take so many milliseconds each.
fn taking(millis: u64, calls: u32) -> Sample {
    Sample {
        successes: calls,
        timed: calls,
        spent: calls * Duration::from_millis(millis),
        ..Sample::default()
    }
}

fn failing(consecutive: u32) -> Sample {
    Sample {
        failures: consecutive,
        consecutive,
        ..Sample::default()
    }
}

fn without_jitter() -> EjectConfig {
    let mut config = EjectConfig::new();
    config.jitter = 0.0;
    config
}

/// Sweeps once a second, and hands out what was decided each time.
struct Clock {
    ejector: Ejector,
    now: Instant,
}

impl Clock {
    fn new(config: EjectConfig) -> Self {
        Self {
            ejector: Ejector::new(config, 1),
            now: Instant::now(),
        }
    }

    fn tick(&mut self, samples: &[Sample]) -> Vec<(u64, What)> {
        self.now += SECOND;
        let samples = (0..).zip(samples.iter().copied());
        let decisions = self.ejector.sweep(self.now, samples);
        decisions.into_iter().map(|made| (made.key, made.what)).collect()
    }

    fn ticks(&mut self, count: usize, samples: &[Sample]) -> Vec<(u64, What)> {
        (0..count).flat_map(|_| self.tick(samples)).collect()
    }
}

fn ejected(decisions: &[(u64, What)]) -> Vec<(u64, EjectReason)> {
    let found = decisions.iter().filter_map(|(key, what)| match what {
        What::Ejected(ejection) => Some((*key, ejection.reason)),
        _ => None,
    });
    found.collect()
}

#[test]
fn five_failures_in_a_row_eject_at_once_and_four_do_not() {
    let mut clock = Clock::new(without_jitter());
    assert!(clock.tick(&[failing(4), well(10), well(10)]).is_empty());
    let decisions = clock.tick(&[failing(5), well(10), well(10)]);
    assert_eq!(ejected(&decisions), [(0, EjectReason::ConsecutiveFailures(5))]);
}

#[test]
fn the_time_grows_with_each_ejection_up_to_the_maximum() {
    let mut clock = Clock::new(without_jitter());
    let bad = [failing(5), well(10)];
    let mut lengths = Vec::new();
    for _ in 0..12 {
        loop {
            let decisions = clock.tick(&bad);
            if let Some((_, What::Ejected(ejection))) = decisions.last() {
                lengths.push((ejection.until - clock.now).as_secs());
                break;
            }
        }
    }
    assert_eq!(lengths[..4], [30, 60, 90, 120]);
    assert_eq!(lengths[9..], [300, 300, 300]);
}

#[test]
fn the_time_shrinks_with_each_healthy_sweep() {
    let mut clock = Clock::new(without_jitter());
    let (bad, good) = ([failing(5), well(10)], [well(10), well(10)]);
    let eject = |clock: &mut Clock| match clock.tick(&bad)[..] {
        [.., (0, What::Ejected(ejection))] => ejection.times,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(eject(&mut clock), 1);
    clock.ticks(31, &good);
    assert_eq!(eject(&mut clock), 2);
    clock.ticks(61, &good);
    assert_eq!(eject(&mut clock), 3);
    // Two sweeps and a bit in which it is well.
    clock.ticks(90 + 29, &good);
    assert_eq!(eject(&mut clock), 2);
    clock.ticks(60 + 120, &good);
    assert_eq!(eject(&mut clock), 1);
}

#[test]
fn a_low_success_rate_ejects_at_the_sweep() {
    let mut clock = Clock::new(without_jitter());
    let half = Sample {
        successes: 10,
        failures: 10,
        ..Sample::default()
    };
    let fleet = [half, well(20), well(20), well(20), well(20)];
    // The first tick begins the interval.
    assert!(clock.ticks(10, &fleet).is_empty());
    let reason = EjectReason::SuccessRate {
        percent: 50,
        mean_percent: 90,
    };
    assert_eq!(ejected(&clock.tick(&fleet)), [(0, reason)]);
}

#[test]
fn a_slow_one_is_ejected_after_two_windows() {
    let mut clock = Clock::new(without_jitter());
    let slow = taking(200, 10);
    let fleet = [slow, well(10), well(10)];
    assert!(clock.ticks(4, &fleet).is_empty());
    assert!(matches!(
        ejected(&clock.tick(&fleet))[..],
        [(0, EjectReason::Latency { .. })]
    ));
}

#[test]
fn they_are_compared_with_those_that_get_the_same_requests() {
    let mut clock = Clock::new(without_jitter());
    let of = |class, sample| Sample { class, ..sample };
    let half = Sample {
        failures: 100,
        ..taking(500, 100)
    };
    let mut fleet = vec![of(1, well(200)); 16];
    fleet.extend([of(2, half); 5]);
    assert!(clock.ticks(30, &fleet).is_empty());
    // Fast among all, slow among its own.
    fleet[3] = of(1, taking(100, 200));
    let decisions = ejected(&clock.ticks(5, &fleet));
    assert!(
        matches!(decisions[..], [(3, EjectReason::Latency { .. })]),
        "{decisions:?}"
    );
}

#[test]
fn few_calls_are_gathered_over_several_windows() {
    let mut clock = Clock::new(without_jitter());
    let slow = taking(200, 2);
    let fleet = [slow, well(2), well(2)];
    assert!(clock.ticks(10, &fleet).is_empty());
    assert_eq!(ejected(&clock.tick(&fleet)).len(), 1);
}

#[test]
fn one_slow_window_is_forgiven() {
    let mut clock = Clock::new(without_jitter());
    let slow = taking(200, 10);
    // The first tick begins the window.
    clock.tick(&[well(10), well(10), well(10)]);
    for _ in 0..10 {
        assert!(clock.ticks(2, &[slow, well(10), well(10)]).is_empty());
        assert!(clock.ticks(2, &[well(10), well(10), well(10)]).is_empty());
    }
}

#[test]
fn one_that_fails_takes_the_place_of_one_that_is_slow() {
    let mut clock = Clock::new(without_jitter());
    let slow = taking(200, 10);
    let mut fleet = [slow, well(10), well(10)];
    assert_eq!(ejected(&clock.ticks(5, &fleet)).len(), 1);
    fleet[1] = failing(5);
    let decisions = clock.tick(&fleet);
    assert!(matches!(
        decisions[..],
        [(0, What::Returned), (1, What::Ejected(_))]
    ));
}

#[test]
fn where_there_is_no_room_it_is_spared() {
    let mut clock = Clock::new(without_jitter());
    let decisions = clock.tick(&[failing(5), failing(7), well(10), well(10), well(10)]);
    // The worse one goes.
    assert_eq!(ejected(&decisions), [(1, EjectReason::ConsecutiveFailures(7))]);
    assert!(matches!(decisions[1], (0, What::Spared(_))));
    assert!(clock.ejector.is_spared(0, clock.now));
    assert!(!clock.ejector.is_spared(2, clock.now));

    // It goes on: no news, but for another 30 seconds from there.
    clock.ticks(28, &[well(10); 5]);
    let fleet = [failing(5), well(10), well(10), well(10), well(10)];
    assert_eq!(clock.tick(&fleet), [(0, What::StillSpared)]);
    clock.ticks(29, &[well(10); 5]);
    assert!(clock.ejector.is_spared(0, clock.now));
}

#[test]
fn the_only_one_is_never_ejected() {
    let mut clock = Clock::new(without_jitter());
    assert!(clock.ticks(20, &[failing(50)]).is_empty());
}

#[test]
fn whoever_left_is_forgotten_and_makes_no_room() {
    let mut clock = Clock::new(without_jitter());
    let mut fleet = vec![well(10); 20];
    fleet[0] = failing(5);
    fleet[1] = failing(6);
    assert_eq!(ejected(&clock.tick(&fleet)).len(), 2);
    // Twelve are left: one may be ejected.
    let decisions = clock.tick(&vec![well(10); 12]);
    assert!(matches!(decisions[..], [(_, What::Returned)]));
}

#[test]
fn one_that_cannot_be_called_keeps_its_ejection_and_takes_no_room() {
    let mut clock = Clock::new(without_jitter());
    let away = Sample {
        is_away: true,
        ..Sample::default()
    };
    let mut fleet = vec![well(10); 10];
    fleet[0] = failing(5);
    assert_eq!(ejected(&clock.tick(&fleet)).len(), 1);
    fleet[0] = away;
    fleet[1] = failing(5);
    assert!(matches!(
        ejected(&clock.tick(&fleet))[..],
        [(1, EjectReason::ConsecutiveFailures(5))]
    ));
    assert!(clock.ejector.ejection(0).is_some());
    // Both can be called again, and one is too many.
    (fleet[0], fleet[1]) = (well(10), well(10));
    assert_eq!(clock.tick(&fleet), [(0, What::Returned)]);
}

#[test]
fn one_that_is_away_for_a_moment_brings_nobody_back() {
    let mut clock = Clock::new(without_jitter());
    let away = Sample {
        is_away: true,
        ..Sample::default()
    };
    assert_eq!(ejected(&clock.tick(&[failing(5), well(10)])).len(), 1);
    assert_eq!(clock.tick(&[well(0), away]), []);
    assert_eq!(clock.tick(&[well(0), well(10)]), []);
    assert!(clock.ejector.ejection(0).is_some());
}

#[test]
fn off_is_off() {
    let mut clock = Clock::new(EjectConfig::off());
    assert!(clock.ticks(30, &[failing(50), well(10), well(10)]).is_empty());
}

fn any_sample() -> impl Strategy<Value = Sample> {
    (0..200u32, 0..200u32, 0..8u32, 1..500u64).prop_map(|(successes, failures, consecutive, millis)| Sample {
        failures,
        consecutive,
        ..taking(millis, successes)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the endpoints do, come and go: never more than the cap, never for longer than the maximum, nobody twice.
    #[test]
    fn never_above_the_cap(
        seed: u64,
        max_percent in 0..60u32,
        rounds in prop::collection::vec((prop::collection::vec(any_sample(), 0..40), 0..20u64), 1..60),
    ) {
        let mut config = EjectConfig::new();
        config.max_percent = max_percent;
        config.failure_percentage.enabled = seed % 2 == 0;
        let mut ejector = Ejector::new(config.clone(), seed);
        let mut now = Instant::now();
        let mut out = BTreeMap::new();
        for (samples, seconds) in rounds {
            now += SECOND * u32::try_from(seconds).unwrap();
            let count = samples.len();
            out.retain(|key, _| *key < count as u64);
            for decision in ejector.sweep(now, (0..).zip(samples)) {
                match decision.what {
                    What::Ejected(ejection) => {
                        let length = ejection.until - now;
                        prop_assert!(length <= config.max);
                        let shortest = (config.base * ejection.times).min(config.max).mul_f32(0.9);
                        prop_assert!(length + Duration::from_millis(1) >= shortest);
                        prop_assert_eq!(out.insert(decision.key, ejection), None);
                    }
                    What::Returned => {
                        prop_assert!(out.remove(&decision.key).is_some());
                    }
                    _ => {}
                }
            }
            prop_assert!(out.len() <= config.cap(count));
            prop_assert!(config.cap(count) <= 1.max(count * max_percent as usize / 100));
            for key in 0..count as u64 {
                prop_assert_eq!(ejector.ejection(key), out.get(&key));
            }
            prop_assert!(out.values().all(|ejection| ejection.until > now));
        }
    }
}
