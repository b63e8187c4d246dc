//! Who is busy, slow or broken gets less.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
    time::Duration,
};

use rpc_core::status::Verdict;
use rpc_lb::{
    Balancer, Endpoint,
    balance::{LeastRequest, P2c, Prequal, ShortestResponse, Smart},
    endpoint::InFlight,
};
use tokio::time::Instant;

use super::List;
use crate::fleet::call;

/// A call there that took so long.
fn ended(endpoint: &Endpoint, verdict: Verdict, ended: Instant, took: Duration) {
    let call = InFlight::begin(endpoint, Some(ended.checked_sub(took).unwrap()));
    call.end(verdict, || ended);
}

/// All that balancers count as failures.
const FAILURES: [Verdict; 3] = [Verdict::Failed, Verdict::Doubtful, Verdict::Overloaded];

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A list at a time at which there was a past.
fn later(mut list: List) -> List {
    list.now += Duration::from_mins(1);
    list
}

fn share(list: &List, of: usize, picks: usize) -> usize {
    let call = call();
    (0..picks).filter(|_| list.pick(&call) == of).count()
}

#[test]
fn the_slow_one_of_a_pair_is_not_picked() {
    let mut list = later(List::of(&P2c::new().with_seed(1), 2));
    ended(&list.endpoints[0], Verdict::Healthy, list.now, ms(10));
    ended(&list.endpoints[1], Verdict::Healthy, list.now, ms(200));
    assert_eq!(share(&list, 1, 1000), 0);
    // Forgotten after a while: who gets nothing cannot show that he is fast again. The other one goes on as it was.
    for _ in 0..40 {
        list.now += Duration::from_secs(1);
        ended(&list.endpoints[0], Verdict::Healthy, list.now, ms(10));
    }
    assert!(share(&list, 1, 1000) > 0);
}

#[test]
fn one_that_hangs_after_a_pause_is_not_picked() {
    // In a larger list, the median of the peers has faded as well.
    for n in [2, 10] {
        let mut list = later(List::of(&P2c::new().with_seed(1), n));
        for endpoint in &list.endpoints {
            ended(endpoint, Verdict::Healthy, list.now, ms(10));
        }
        list.picker.refresh(&list.endpoints, list.now);
        list.now += Duration::from_mins(5);
        let hanging: Vec<_> = (0..100)
            .map(|_| InFlight::begin(&*list.endpoints[1], Some(list.now)))
            .collect();
        ended(&list.endpoints[0], Verdict::Healthy, list.now, ms(10));
        list.picker.refresh(&list.endpoints, list.now);
        assert_eq!(share(&list, 1, 1000), 0, "of {n}");
        drop(hanging);
    }
}

#[test]
fn calls_in_flight_count() {
    for picker in [
        &P2c::new().with_seed(1) as &dyn Balancer,
        &LeastRequest::default().with_seed(1),
    ] {
        let list = List::of(picker, 2);
        let busy = InFlight::begin(&*list.endpoints[0], None);
        assert_eq!(share(&list, 0, 100), 0, "{}", picker.name());
        drop(busy);
        assert!(share(&list, 0, 100) > 20, "{}", picker.name());
    }
}

#[test]
fn calls_in_flight_count_by_weight() {
    for picker in [
        &P2c::new().with_seed(1) as &dyn Balancer,
        &LeastRequest::default().with_seed(1),
    ] {
        let list = List::weighted(picker, &[100, 400]);
        let mut held: Vec<Vec<InFlight<Arc<Endpoint>>>> = vec![Vec::new(), Vec::new()];
        let call = call();
        // Nothing ends: whoever has fewer for his weight gets the next one.
        for _ in 0..1000 {
            let picked = list.pick(&call);
            held[picked].push(InFlight::begin(Arc::clone(&list.endpoints[picked]), None));
        }
        let light = held[0].len();
        assert!((195..=205).contains(&light), "{}: {light}", picker.name());
    }
}

#[test]
fn a_new_one_is_neither_flooded_nor_starved() {
    let list = later(List::of(&P2c::new().with_seed(1), 11));
    for (n, endpoint) in list.endpoints.iter().enumerate().skip(1) {
        ended(endpoint, Verdict::Healthy, list.now, ms(10 + n as u64));
    }
    list.picker.refresh(&list.endpoints, list.now);
    // The median of its peers beats one half of them: it gets about what the middle one gets.
    let picked = share(&list, 0, 11_000);
    assert!((700..=1400).contains(&picked), "{picked}");
}

#[test]
fn a_new_one_counts_as_its_rival_before_anybody_compared() {
    let list = later(List::of(&P2c::new().with_seed(1), 2));
    ended(&list.endpoints[0], Verdict::Healthy, list.now, ms(500));
    let picked = share(&list, 1, 1000);
    assert!((400..=600).contains(&picked), "{picked}");
}

#[test]
fn one_that_fails_fast_does_not_look_fast() {
    for failure in FAILURES {
        let list = later(List::of(&P2c::new().with_seed(1), 5));
        for endpoint in &list.endpoints {
            ended(endpoint, Verdict::Healthy, list.now, ms(10));
        }
        list.picker.refresh(&list.endpoints, list.now);
        let broken = &list.endpoints[0];
        ended(broken, failure, list.now, Duration::from_micros(50));
        let latency = broken.stats().latency(list.now).unwrap();
        assert!(latency >= 9.9e6, "{failure:?}: {latency}");
        assert_eq!(share(&list, 0, 1000), 0, "{failure:?}");

        // A new one that fails at once counts as its peers do.
        let fresh = later(List::of(&P2c::new().with_seed(1), 2));
        let broken = &fresh.endpoints[0];
        broken.stats().set_peers_latency(1e7);
        ended(broken, failure, fresh.now, Duration::from_micros(50));
        let latency = broken.stats().latency(fresh.now).unwrap();
        assert!((latency - 1e7).abs() < 1.0, "{failure:?}: {latency}");
    }
}

#[test]
fn a_few_errors_everywhere_keep_no_slow_second_alive() {
    let mut list = later(List::of(&P2c::new().with_seed(1), 4));
    for endpoint in &list.endpoints {
        ended(endpoint, Verdict::Healthy, list.now, Duration::from_secs(1));
    }
    // Each gets a hundred calls a second, every tenth of which says UNKNOWN.
    for call in 0..6_000 {
        list.now += ms(10);
        for endpoint in &list.endpoints {
            let verdict = if call % 10 == 0 {
                Verdict::Doubtful
            } else {
                Verdict::Healthy
            };
            ended(endpoint, verdict, list.now, ms(10));
        }
        if call % 100 == 0 {
            list.picker.refresh(&list.endpoints, list.now);
        }
    }
    let latency = list.endpoints[0].stats().latency(list.now).unwrap();
    assert!(latency < 5e7, "{latency}");
}

#[test]
fn only_failures_are_a_sickness() {
    for failure in FAILURES {
        let list = later(List::of(&P2c::new().with_seed(1), 2));
        let stats = list.endpoints[0].stats();
        for _ in 0..100 {
            ended(&list.endpoints[0], failure, list.now, ms(1));
        }
        assert!(stats.reliability(list.now) < 0.02, "{failure:?}");
        let is_sick = failure == Verdict::Failed;
        assert_eq!(stats.success() < 0.02, is_sick, "{failure:?}");
        assert_eq!(stats.consecutive_failures() > 0, is_sick, "{failure:?}");
    }
}

#[test]
fn failures_fade() {
    let list = later(List::of(&P2c::new().with_seed(1), 2));
    let stats = list.endpoints[0].stats();
    for _ in 0..100 {
        ended(&list.endpoints[0], Verdict::Failed, list.now, ms(1));
    }
    assert!(stats.reliability(list.now) < 0.02);
    assert!(stats.reliability(list.now + Duration::from_secs(10)) > 0.6);
    // What says how many calls ended well does not change without calls.
    assert!(stats.success() < 0.02);
    for _ in 0..300 {
        ended(&list.endpoints[0], Verdict::Healthy, list.now, ms(1));
    }
    assert!((stats.reliability(list.now) - 1.0).abs() < 1e-6);
}

#[test]
fn a_call_that_was_given_up_says_nothing() {
    let list = later(List::of(&P2c::new().with_seed(1), 2));
    drop(InFlight::begin(&*list.endpoints[0], Some(list.now)));
    let stats = list.endpoints[0].stats();
    assert_eq!(stats.in_flight(), 0);
    assert_eq!(stats.latency(list.now), None);
    assert_eq!(stats.take_counts(), (0, 0));
    assert!((stats.reliability(list.now) - 1.0).abs() < f32::EPSILON);
}

#[test]
fn what_was_picked_last_is_known() {
    let list = later(List::of(&P2c::new(), 2));
    let stats = list.endpoints[0].stats();
    assert_eq!(stats.since_picked(list.now), None);
    ended(&list.endpoints[0], Verdict::Healthy, list.now, ms(0));
    let since = stats.since_picked(list.now + Duration::from_secs(3)).unwrap();
    assert!((ms(2999)..=ms(3001)).contains(&since), "{since:?}");
    assert_eq!(stats.age(list.now), Duration::from_mins(1));
}

/// Calls at fixed times for some seconds; endpoint 0 ends each with a failure within 50 microseconds, the others take ten
/// milliseconds. Which of the calls went to endpoint 0.
fn broken_calls(mut list: List, calls_per_second: u32, seconds: u32, failure: Verdict) -> Vec<bool> {
    let call = call();
    let start = list.now;
    let mut ends: BinaryHeap<(Reverse<Instant>, usize)> = BinaryHeap::new();
    let mut held: Vec<VecDeque<InFlight<Arc<Endpoint>>>> =
        list.endpoints.iter().map(|_| VecDeque::new()).collect();
    let mut broken = Vec::new();
    let mut refreshed = start;
    for n in 0..seconds * calls_per_second {
        list.now = start + Duration::from_secs(1) * n / calls_per_second;
        while let Some((Reverse(end), endpoint)) = ends.peek().copied()
            && end <= list.now
        {
            ends.pop();
            let verdict = if endpoint == 0 { failure } else { Verdict::Healthy };
            held[endpoint].pop_front().unwrap().end(verdict, || end);
        }
        if list.now >= refreshed + Duration::from_secs(1) {
            list.picker.refresh(&list.endpoints, list.now);
            refreshed = list.now;
        }
        let picked = list.pick(&call);
        broken.push(picked == 0);
        let took = if picked == 0 {
            Duration::from_micros(50)
        } else {
            ms(10)
        };
        let endpoint = Arc::clone(&list.endpoints[picked]);
        held[picked].push_back(InFlight::begin(endpoint, Some(list.now)));
        ends.push((Reverse(list.now + took), picked));
    }
    broken
}

#[allow(clippy::cast_precision_loss, reason = "a share")]
fn broken_share(calls: &[bool]) -> f64 {
    let broken = calls.iter().filter(|is_broken| **is_broken).count();
    broken as f64 / calls.len() as f64
}

#[test]
fn a_black_hole_attracts_nothing() {
    for balancer in [
        &P2c::new().with_seed(1) as &dyn Balancer,
        &ShortestResponse::default().with_seed(1),
        &Smart::default().with_seed(1),
    ] {
        // From nearly idle to more than ten at a time for each.
        for calls_per_second in [20, 500, 5000, 12_000] {
            for failure in FAILURES {
                let list = later(List::of(balancer, 10));
                let share = broken_share(&broken_calls(list, calls_per_second, 10, failure));
                assert!(
                    share <= 0.1,
                    "{}, {failure:?} at {calls_per_second}/s: {share}",
                    balancer.name()
                );
            }
        }
    }
}

#[test]
fn a_black_hole_attracts_nothing_where_calls_are_rare() {
    for balancer in [
        &P2c::new().with_seed(1) as &dyn Balancer,
        &Prequal::default().with_seed(1),
    ] {
        for calls_per_second in [1, 2] {
            for failure in FAILURES {
                // As fast as the other one until it fails, faster, and never well.
                for before in [Some(ms(10)), Some(ms(1)), None] {
                    let list = later(List::of(balancer, 2));
                    if let Some(before) = before {
                        ended(&list.endpoints[0], Verdict::Healthy, list.now, before);
                        ended(&list.endpoints[1], Verdict::Healthy, list.now, ms(10));
                    }
                    let calls = broken_calls(list, calls_per_second, 120, failure);
                    let share = broken_share(&calls[calls.len() / 2..]);
                    assert!(
                        share <= 0.35,
                        "{}, {failure:?} at {calls_per_second}/s, {before:?} before: {share}",
                        balancer.name()
                    );
                }
            }
        }
    }
}
