//! Latencies and errors of the last seconds, in bounded memory.
//!
//! Two histograms take turns, ten seconds each: calls are counted in the one, and what is asked for is of both, which is of
//! the last ten to twenty seconds. Whoever counts the first call of a turn clears what was there; a call that ends
//! elsewhere in that moment is not counted. An endpoint has them, some 1.5 KiB, only where a balancer wants to know.

mod half;
mod histogram;

use std::time::Duration;

use self::{
    half::Half,
    histogram::{BUCKETS, Histogram},
    sync::{AtomicU32, AtomicU64, Ordering},
};

/// What is loom's where all interleavings are tried.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
}

/// Seconds in which calls are counted in one histogram.
const TURN: u64 = 10;

/// What the calls of the last ten to twenty seconds were like. Latencies are of those that were answered and whose requests are no
/// streams, in nanoseconds, to a sixteenth.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Recent {
    /// Calls that ended and said something of the endpoint. A stream counts once its head is there, and once more if it
    /// fails after that.
    pub calls: u32,
    /// Those of them that failed.
    pub errors: u32,
    /// The mean latency.
    pub mean: f32,
    /// The latency that half of the calls stay below.
    pub p50: f32,
    /// The latency that 99 of 100 calls stay below.
    pub p99: f32,
    /// The latency that 999 of 1000 calls stay below.
    pub p999: f32,
}

impl Recent {
    /// The share of calls that failed; 0 without calls.
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn error_rate(&self) -> f32 {
        self.errors as f32 / self.calls.max(1) as f32
    }

    /// True if there were answers whose time says something of the endpoint.
    pub fn has_latency(&self) -> bool {
        self.p50 > 0.0
    }
}

/// Both histograms.
#[derive(Debug)]
pub(super) struct Window([Counts; 2]);

#[derive(Debug)]
struct Counts {
    half: Half,
    latencies: Histogram,
    /// Nanoseconds.
    sum: AtomicU64,
    /// Answers whose time says nothing of the endpoint.
    untimed: AtomicU32,
    errors: AtomicU32,
}

impl Window {
    pub(super) fn new() -> Self {
        Self([Counts::new(), Counts::new()])
    }

    /// A call was answered, so long after the endpoint was first seen.
    pub(super) fn answered(&self, age: Duration, latency: Duration) {
        if let Some(counts) = self.enter(age) {
            counts.latencies.record(latency);
            let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            counts.sum.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    /// A call was answered whose time says nothing of the endpoint.
    pub(super) fn answered_untimed(&self, age: Duration) {
        if let Some(counts) = self.enter(age) {
            counts.untimed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call failed.
    pub(super) fn failed(&self, age: Duration) {
        if let Some(counts) = self.enter(age) {
            counts.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "estimates")]
    pub(super) fn recent(&self, age: Duration) -> Recent {
        let now = age.as_secs() / TURN;
        let (mut buckets, mut sum, mut untimed, mut errors) = ([0; BUCKETS], 0_u64, 0_u32, 0_u32);
        for turn in [Some(now), now.checked_sub(1)].into_iter().flatten() {
            let counts = self.of(turn);
            if counts.half.is_of(turn) {
                counts.latencies.add_to(&mut buckets);
                sum = sum.saturating_add(counts.sum.load(Ordering::Relaxed));
                untimed = untimed.saturating_add(counts.untimed.load(Ordering::Relaxed));
                errors = errors.saturating_add(counts.errors.load(Ordering::Relaxed));
            }
        }
        let answers = buckets
            .iter()
            .fold(0_u32, |sum, count| sum.saturating_add(*count));
        let calls = answers.saturating_add(untimed).saturating_add(errors);
        if answers == 0 {
            return Recent {
                calls,
                errors,
                ..Recent::default()
            };
        }
        let [p50, p99, p999] = histogram::quantiles(&buckets, [0.5, 0.99, 0.999]);
        Recent {
            calls,
            errors,
            mean: sum as f32 / answers as f32,
            p50,
            p99,
            p999,
        }
    }

    fn of(&self, turn: u64) -> &Counts {
        &self.0[usize::from(turn % 2 == 1)]
    }

    fn enter(&self, age: Duration) -> Option<&Counts> {
        let turn = age.as_secs() / TURN;
        let counts = self.of(turn);
        counts.half.enter(turn, || counts.clear()).then_some(counts)
    }
}

impl Counts {
    fn new() -> Self {
        Self {
            half: Half::new(),
            latencies: Histogram::new(),
            sum: AtomicU64::new(0),
            untimed: AtomicU32::new(0),
            errors: AtomicU32::new(0),
        }
    }

    fn clear(&self) {
        self.latencies.clear();
        self.sum.store(0, Ordering::Relaxed);
        self.untimed.store(0, Ordering::Relaxed);
        self.errors.store(0, Ordering::Relaxed);
    }
}
