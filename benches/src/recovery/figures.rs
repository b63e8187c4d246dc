//! What is made of the calls of a run.

use std::{ops::Range, time::Duration};

use serde::{Deserialize, Serialize};

use crate::sample::{OTHERS_LIMIT, new_histogram, quantile_us};

/// Over how long a percentile is judged: of less, chance is too large a part. And how far apart the windows begin.
const WINDOW: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(100);
/// How much worse than before is well enough.
const ENOUGH: f64 = 1.5;
/// Share of failed calls that is well enough.
const ERRORS: f64 = 0.01;
/// For how long it has to stay well. Not to the end: in ten seconds any machine stands still for a moment.
const SETTLED: Duration = Duration::from_secs(1);

/// A call that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Done {
    /// When it was due, since the run began.
    pub(super) due: Duration,
    /// From when it was due to its end.
    pub(super) latency: Duration,
    pub(super) end: End,
}

/// Where a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// At an instance that is well throughout.
    Elsewhere,
    /// At the one that falls sick.
    SickOne,
    /// It failed, which it can only at that one.
    Failed,
}

/// What a fault did, and how soon that was over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Recovery {
    pub(crate) balancer: String,
    pub(crate) fault: String,
    /// Before, while one instance is sick, and afterwards.
    pub(crate) healthy: Phase,
    pub(crate) sick: Phase,
    pub(crate) healed: Phase,
    /// Seconds from when the instance fell sick until the client was well again; none if it was not while that lasted.
    pub(crate) recovered_after_s: Option<f64>,
    /// How long the instance was sick, in seconds.
    pub(crate) sick_for_s: f64,
    /// Which part of the machine other processes used meanwhile, 0 to 1.
    pub(crate) others: f64,
    /// The CPUs were at another distance at the end than at the beginning.
    pub(crate) moved: bool,
}

/// The calls that were due in a part of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Phase {
    pub(crate) calls: u64,
    pub(crate) failed: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Which part of the calls the instance got that is sick, was or will be, 0 to 1.
    pub(crate) share: f64,
}

/// When one thing turns into another, since the run began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// From here on calls count.
    pub(super) healthy: Duration,
    pub(super) sick: Duration,
    pub(super) healed: Duration,
    pub(super) end: Duration,
}

impl Recovery {
    /// Of all calls of a run, in any order.
    pub(super) fn of(done: &[Done], times: &Times) -> Self {
        let healthy = Phase::of(done, times.healthy..times.sick);
        let is_well = |at: Duration| {
            let window = Phase::of(done, at..at + WINDOW);
            window.p99_us <= ENOUGH * healthy.p99_us && window.failed as f64 <= ERRORS * window.calls as f64
        };
        let mut well_since = times.sick;
        let mut starts = (0..)
            .map(|n| times.sick + STEP * n)
            .take_while(|at| *at + WINDOW <= times.healed);
        let recovered = starts.find_map(|at| {
            if !is_well(at) {
                well_since = at + STEP;
            }
            (at + WINDOW >= well_since + SETTLED).then_some(well_since)
        });
        Self {
            recovered_after_s: recovered.map(|at| at.saturating_sub(times.sick).as_secs_f64()),
            sick_for_s: times.healed.saturating_sub(times.sick).as_secs_f64(),
            sick: Phase::of(done, times.sick..times.healed),
            healed: Phase::of(done, times.healed..times.end),
            healthy,
            ..Self::default()
        }
    }

    /// True if other processes used so much of the machine, or its CPUs were so placed, that the figures say little.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.others > OTHERS_LIMIT || self.moved
    }

    /// After how many seconds, in words.
    pub(crate) fn recovered(&self) -> String {
        match self.recovered_after_s {
            Some(after) => format!("{after:.1}"),
            None => format!("not in {:.0}", self.sick_for_s),
        }
    }
}

impl Phase {
    /// Of those of the calls that were due then. Failed ones have no latency.
    fn of(done: &[Done], when: Range<Duration>) -> Self {
        let mut latencies = new_histogram();
        let (mut calls, mut failed, mut there) = (0_u64, 0, 0_u64);
        for done in done.iter().filter(|done| when.contains(&done.due)) {
            calls += 1;
            there += u64::from(done.end != End::Elsewhere);
            if done.end == End::Failed {
                failed += 1;
            } else {
                latencies.saturating_record(done.latency.as_nanos() as u64);
            }
        }
        Self {
            calls,
            failed,
            p50_us: quantile_us(&latencies, 0.50),
            p99_us: quantile_us(&latencies, 0.99),
            share: there as f64 / calls.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        healthy: Duration::from_secs(1),
        sick: Duration::from_secs(2),
        healed: Duration::from_secs(5),
        end: Duration::from_secs(6),
    };

    /// A thousand calls a second of 5 ms, every tenth at the instance that falls sick; these are changed.
    fn calls(change: impl Fn(&mut Done)) -> Vec<Done> {
        let mut done: Vec<_> = (0..6000)
            .map(|n| Done {
                due: Duration::from_millis(n),
                latency: Duration::from_millis(5),
                end: if n % 10 == 0 { End::SickOne } else { End::Elsewhere },
            })
            .collect();
        let at_sick_one = done.iter_mut().filter(|done| done.end == End::SickOne);
        at_sick_one.for_each(change);
        done
    }

    fn between(done: &Done, from_ms: u64, to_ms: u64) -> bool {
        (from_ms..to_ms).contains(&(done.due.as_millis() as u64))
    }

    #[test]
    fn phases_count_what_was_due_in_them() {
        let done = calls(|done| {
            if between(done, 2000, 2100) {
                done.end = End::Failed;
            } else if between(done, 2100, 5000) {
                done.end = End::Elsewhere;
            }
        });
        let found = Recovery::of(&done, &TIMES);
        assert_eq!((found.healthy.calls, found.healthy.failed), (1000, 0));
        assert_eq!((found.sick.calls, found.sick.failed), (3000, 10));
        assert!((found.healthy.share - 0.1).abs() < 1e-9, "{found:?}");
        assert!((found.sick.share - 10.0 / 3000.0).abs() < 1e-9, "{found:?}");
        assert!((found.healed.share - 0.1).abs() < 1e-9, "{found:?}");
        assert!((4900.0..5100.0).contains(&found.healthy.p99_us), "{found:?}");
    }

    #[test]
    fn who_is_never_ill_has_recovered_at_once() {
        let found = Recovery::of(&calls(|_| ()), &TIMES);
        assert_eq!(found.recovered_after_s, Some(0.0));
    }

    /// Slow for 0.7 s: the last window in which more than one call in a hundred is slow begins 0.1 s before that ends.
    #[test]
    fn slow_calls_delay_it_until_no_window_has_them() {
        let found = Recovery::of(
            &calls(|done| {
                if between(done, 2000, 2700) {
                    done.latency *= 100;
                }
            }),
            &TIMES,
        );
        assert_eq!(found.recovered_after_s, Some(0.7));
        assert!(found.sick.p99_us > 400_000.0, "{found:?}");
        assert!(found.healed.p99_us < 6000.0, "{found:?}");
    }

    #[test]
    fn failures_delay_it_like_slowness_and_have_no_latency() {
        let found = Recovery::of(
            &calls(|done| {
                if between(done, 2000, 3000) {
                    (done.latency, done.end) = (Duration::from_secs(9), End::Failed);
                }
            }),
            &TIMES,
        );
        assert_eq!(found.recovered_after_s, Some(1.0));
        assert!(found.sick.p99_us < 6000.0, "{found:?}");
    }

    #[test]
    fn it_has_to_last_a_second() {
        let found = Recovery::of(
            &calls(|done| {
                if between(done, 2000, 2500) || between(done, 3400, 3600) || between(done, 4700, 4800) {
                    done.latency *= 100;
                }
            }),
            &TIMES,
        );
        assert_eq!(
            found.recovered_after_s,
            Some(1.6),
            "not when it was well for less, and no later"
        );
    }

    #[test]
    fn who_is_ill_again_and_again_has_not_recovered() {
        let found = Recovery::of(
            &calls(|done| {
                if between(done, 2000, 2100) || between(done, 3000, 3100) || between(done, 4000, 4100) {
                    done.latency *= 100;
                }
            }),
            &TIMES,
        );
        assert_eq!(found.recovered_after_s, None);
    }
}
