//! Percentiles of a run.

use crate::{policy::Outcome, world::Done};

/// How long calls took, and how many failed.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Summary {
    /// Calls that were measured.
    pub calls: usize,
    /// Median, in milliseconds.
    pub p50_ms: f64,
    /// 90th percentile, in milliseconds.
    pub p90_ms: f64,
    /// 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// 99.9th percentile, in milliseconds.
    pub p999_ms: f64,
    /// Share of the calls without an answer, those that ran out of time included.
    pub errors: f64,
}

impl Summary {
    /// Of some calls. A call that ran out of time took as long as it was given; one that failed before has no latency, or a
    /// fleet that fails fast would look fast.
    pub fn of<'d>(done: impl IntoIterator<Item = &'d Done>) -> Self {
        let (mut calls, mut answered) = (0, 0);
        let mut micros = Vec::new();
        for done in done {
            calls += 1;
            answered += usize::from(done.is_answered());
            if matches!(done.outcome, Outcome::Answered | Outcome::TimedOut) {
                micros.push(done.micros);
            }
        }
        micros.sort_unstable();
        let at = |q| quantile(&micros, q);
        Self {
            calls,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            errors: if calls == 0 {
                0.0
            } else {
                1.0 - answered as f64 / calls as f64
            },
        }
    }
}

/// The smallest value that a share `q` of all does not exceed, in milliseconds; 0 of nothing.
fn quantile(sorted: &[u32], q: f64) -> f64 {
    #[expect(clippy::cast_sign_loss, reason = "neither is negative")]
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .map_or(0.0, |&micros| f64::from(micros) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;

    #[test]
    fn what_failed_fast_is_an_error_and_not_fast() {
        let done = |micros, outcome| Done {
            begun: Time::START,
            micros,
            outcome,
        };
        let mut all: Vec<_> = (1..=98).map(|ms| done(ms * 1000, Outcome::Answered)).collect();
        all.push(done(5_000_000, Outcome::TimedOut));
        all.push(done(1, Outcome::Failed));
        let summary = Summary::of(&all);
        assert_eq!(
            (summary.calls, summary.p50_ms, summary.p99_ms),
            (100, 50.0, 5000.0)
        );
        assert!((summary.errors - 0.02).abs() < 1e-9);
        assert_eq!(Summary::of([]), Summary::default());
    }
}
