//! Balancers that go by what endpoints say.

use std::{sync::Arc, time::Duration};

use rpc_core::status::Verdict;
use rpc_lb::{
    BalancerConfig, Endpoint,
    balance::{Orca, OrcaConfig, Prequal},
    endpoint::{InFlight, Reported},
};

use super::List;
use crate::fleet::{call, instance};

/// Utilization of the CPU, calls and errors in a second, calls in flight.
fn report(cpu: f32, rps: f32, eps: f32, in_flight: f32) -> Reported {
    let mut report = Reported::default();
    report.cpu = cpu;
    report.rps = rps;
    report.eps = eps;
    report.in_flight = in_flight;
    report
}

fn orca(config: &str) -> Orca {
    Orca::new(serde_json::from_str::<OrcaConfig>(config).unwrap()).unwrap()
}

impl List {
    fn say(&self, index: usize, reported: Reported) {
        self.endpoints[index].stats().set_reported(reported, self.now);
    }

    fn refresh(&self) {
        self.picker.refresh(&self.endpoints, self.now);
    }

    fn shares(&self, picks: u32) -> Vec<f64> {
        let mut counts = vec![0_u32; self.endpoints.len()];
        for _ in 0..picks {
            counts[self.pick(&call())] += 1;
        }
        counts
            .into_iter()
            .map(|count| f64::from(count) / f64::from(picks))
            .collect()
    }
}

fn assert_close(shares: &[f64], due: &[f64]) {
    for (share, due) in shares.iter().zip(due) {
        assert!((share - due).abs() < 0.01, "{shares:?}, due {due:?}");
    }
}

#[test]
fn orca_gives_more_to_who_does_more_with_less() {
    let mut list = List::of(&orca(r#"{"blackout_ms": 0}"#), 3);
    list.say(0, report(0.5, 100.0, 0.0, 1.0));
    list.say(1, report(0.25, 100.0, 0.0, 1.0));
    // 200 / 400; who says nothing gets the mean.
    list.refresh();
    assert_close(&list.shares(100_000), &[2.0 / 9.0, 4.0 / 9.0, 3.0 / 9.0]);

    // A fifth of errors counts as a fifth of utilization.
    list.say(2, report(0.3, 100.0, 20.0, 1.0));
    list.refresh();
    assert_close(&list.shares(100_000), &[0.25, 0.5, 0.25]);

    // Reports expire; all take turns then.
    list.now += Duration::from_mins(4);
    list.refresh();
    assert_close(&list.shares(99_999), &[1.0 / 3.0; 3]);
}

#[test]
fn reports_grow_old_also_when_their_clock_wraps() {
    let mut list = List::of(&orca("{}"), 1);
    list.now += Duration::from_millis(u64::from(u32::MAX - 1000));
    list.say(0, report(0.5, 100.0, 0.0, 1.0));
    let age = |list: &List| list.endpoints[0].stats().reported(list.now).unwrap().1;
    assert_eq!(age(&list), Duration::ZERO);
    list.now += Duration::from_hours(1);
    assert_eq!(age(&list), Duration::from_hours(1));
    // By a clock that was looked at before it came.
    list.say(0, report(0.5, 100.0, 0.0, 1.0));
    list.now -= Duration::from_millis(5);
    assert_eq!(age(&list), Duration::ZERO);
}

/// One of two is three times as busy as the other, and both say so.
fn both(list: &List) {
    list.say(0, report(0.9, 100.0, 0.0, 1.0));
    list.say(1, report(0.3, 100.0, 0.0, 1.0));
    list.refresh();
}

#[test]
fn orca_waits_until_reports_have_come_for_a_while() {
    let mut list = List::of(&orca("{}"), 2);
    both(&list);
    assert_close(&list.shares(100_000), &[0.5, 0.5]);
    list.now += Duration::from_secs(11);
    both(&list);
    assert_close(&list.shares(100_000), &[0.25, 0.75]);
}

#[test]
fn orca_keeps_what_was_said_when_a_report_says_nothing_until_it_expires() {
    let mut list = List::of(&orca("{}"), 2);
    both(&list);
    list.now += Duration::from_secs(11);
    both(&list);
    for idle in [report(0.0, 100.0, 0.0, 0.0), report(0.9, 0.0, 0.0, 0.0)] {
        list.now += Duration::from_secs(1);
        list.say(0, idle);
        list.refresh();
        assert_close(&list.shares(100_000), &[0.25, 0.75]);
    }
    list.now += Duration::from_mins(3);
    list.say(0, report(0.0, 0.0, 0.0, 0.0));
    list.say(1, report(0.3, 100.0, 0.0, 1.0));
    list.refresh();
    assert_close(&list.shares(100_000), &[0.5, 0.5]);
}

#[test]
fn orca_waits_anew_for_who_was_away() {
    let balancer = orca("{}");
    let mut list = List::of(&balancer, 2);
    both(&list);
    list.now += Duration::from_secs(11);
    both(&list);
    assert_close(&list.shares(100_000), &[0.25, 0.75]);

    let mut without_them = List::with(&balancer, [instance(7)]);
    without_them.now = list.now + Duration::from_mins(4);
    without_them.say(0, report(0.5, 100.0, 0.0, 1.0));
    without_them.refresh();

    let mut back = List::of(&balancer, 2);
    back.now = without_them.now;
    both(&back);
    assert_close(&back.shares(100_000), &[0.5, 0.5]);
}

#[test]
fn prequal_leaves_out_the_hot_and_takes_the_fastest_of_the_cold() {
    let mut list = List::of(&Prequal::default().with_seed(1), 10);
    let answered = |list: &List, index: usize, millis: u64| {
        let endpoint: &Endpoint = &list.endpoints[index];
        let started = list.now.checked_sub(Duration::from_millis(millis)).unwrap();
        InFlight::begin(endpoint, Some(started)).end(Verdict::Healthy, || list.now);
    };
    list.now += Duration::from_secs(1);
    for index in 0..10 {
        answered(&list, index, 10 + index as u64);
        list.say(index, report(0.1, 1.0, 0.0, 5.0));
    }
    // The fastest one is hot.
    list.say(0, report(0.1, 1.0, 0.0, 500.0));
    let _ = list.shares(1_000);
    let shares = list.shares(10_000);
    assert!(shares[0] < 0.01, "{shares:?}");
    assert!(shares[1] > shares[5] && shares[5] > shares[9], "{shares:?}");

    // What it said is too old to count: it is the fastest again.
    list.now += Duration::from_secs(2);
    let _ = list.shares(1_000);
    let shares = list.shares(10_000);
    assert!(shares[0] > shares[1], "{shares:?}");
}

#[test]
fn prequal_is_not_drawn_to_who_fails_fast() {
    let mut list = List::of(&Prequal::default().with_seed(7), 5);
    list.now += Duration::from_secs(1);
    for _ in 0..20 {
        for index in 0..5 {
            let endpoint = Arc::clone(&list.endpoints[index]);
            let (millis, verdict) = if index == 0 {
                (0, Verdict::Failed)
            } else {
                (10, Verdict::Healthy)
            };
            let started = list.now.checked_sub(Duration::from_millis(millis)).unwrap();
            InFlight::begin(endpoint, Some(started)).end(verdict, || list.now);
        }
        list.refresh();
    }
    let shares = list.shares(10_000);
    assert!(shares[0] < 0.02, "{shares:?}");
}

#[test]
fn settings_say_what_is_wrong_with_them() {
    let error = |json: &str| {
        let config = serde_json::from_str::<BalancerConfig>(json).map_err(|error| error.to_string())?;
        config.build().map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(error(r#"{"kind": "prequal", "choices": 4}"#), Ok(()));
    assert_eq!(error(r#"{"kind": "orca", "blackout_ms": 0}"#), Ok(()));
    assert_eq!(
        error(r#"{"kind": "ring_hash", "key": {"metadata": "x-user"}}"#),
        Ok(())
    );
    assert_eq!(
        error(r#"{"kind": "maglev", "key": "extension", "size": 127, "bound": 0}"#),
        Ok(())
    );
    assert_eq!(
        error(r#"{"kind": "prequal", "quantile": 1.5}"#),
        Err("`prequal.quantile` is 1.5: 0 to 1 is wanted".to_owned())
    );
    assert_eq!(
        error(r#"{"kind": "maglev", "key": "extension", "size": 128}"#),
        Err("`maglev.size` is 128: a prime up to 5000011 is wanted".to_owned())
    );
    assert_eq!(
        error(r#"{"kind": "ring_hash", "key": "extension", "bound": 0.5}"#),
        Err("`ring_hash.bound` is 0.5: more than 1 is wanted, or 0 for no bound".to_owned())
    );
    assert!(
        error(r#"{"kind": "orca", "blackout": 3}"#)
            .unwrap_err()
            .contains("unknown field `blackout`")
    );
    assert!(
        error(r#"{"kind": "ring_hash"}"#)
            .unwrap_err()
            .contains("missing field `key`")
    );
}
