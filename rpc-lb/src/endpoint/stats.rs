//! What was learnt about an endpoint: counts, and the latency estimate.
//!
//! Plain atomics, written by the calls that end there, read by whoever picks. Nothing here is exact under contention
//! but the counts: two samples at the same instant may lose one of them, which an estimate can bear and a lock on the way
//! of every call could not.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use rpc_core::status::Verdict;
use tokio::time::Instant;

use super::Done;

/// What was learnt about an endpoint.
// A cache line of its own: the counts of one endpoint are nobody else's business.
#[derive(Debug)]
#[repr(align(128))]
pub struct Stats {
    first_seen: Instant,
    in_flight: AtomicU32,
    /// f32.
    weight: AtomicU32,
    /// Peak EWMA of the latency: nanoseconds as f32 in the upper half, ticks since `first_seen` in the lower. 0: none yet.
    latency: AtomicU64,
    /// EWMA of successes, f32.
    success: AtomicU32,
    /// Failures one after the other.
    consecutive: AtomicU32,
    /// Since the last sweep.
    successes: AtomicU32,
    failures: AtomicU32,
}

/// A tick of the latency estimate, in powers of two of a nanosecond: 65.5 microseconds.
const TICK: u32 = 16;
/// The time after which a peak has decayed to 1/e: Finagle's and linkerd's.
const TAU: Duration = Duration::from_secs(10);
/// The share of the newest outcome in the estimate of successes.
const SUCCESS_SHARE: f32 = 0.05;

impl Stats {
    pub(super) fn new(now: Instant, weight: u32) -> Self {
        Self {
            first_seen: now,
            in_flight: AtomicU32::new(0),
            #[allow(clippy::cast_precision_loss, reason = "a weight, not a count")]
            weight: AtomicU32::new((weight as f32).to_bits()),
            latency: AtomicU64::new(0),
            success: AtomicU32::new(1f32.to_bits()),
            consecutive: AtomicU32::new(0),
            successes: AtomicU32::new(0),
            failures: AtomicU32::new(0),
        }
    }

    /// When this client first saw it.
    pub fn first_seen(&self) -> Instant {
        self.first_seen
    }

    /// Calls under way there, of this client.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// See [`Endpoint::weight`](super::Endpoint::weight).
    #[inline]
    pub fn weight(&self) -> f32 {
        f32::from_bits(self.weight.load(Ordering::Relaxed))
    }

    /// Sets it.
    pub fn set_weight(&self, weight: f32) {
        self.weight.store(weight.to_bits(), Ordering::Relaxed);
    }

    /// The share of calls that ended well, lately: 0 to 1.
    #[inline]
    pub fn success(&self) -> f32 {
        f32::from_bits(self.success.load(Ordering::Relaxed))
    }

    /// Failures one after the other.
    pub fn consecutive_failures(&self) -> u32 {
        self.consecutive.load(Ordering::Relaxed)
    }

    /// The latency estimate in nanoseconds; `None` before the first answer.
    #[inline]
    pub fn latency(&self, now: Instant) -> Option<f32> {
        let packed = self.latency.load(Ordering::Relaxed);
        if packed == 0 {
            return None;
        }
        let (estimate, at) = unpack(packed);
        Some(estimate * decay(self.tick(now).wrapping_sub(at)))
    }

    /// Takes the counts of successes and failures since this was asked last.
    pub fn take_counts(&self) -> (u32, u32) {
        let take = |count: &AtomicU32| count.swap(0, Ordering::Relaxed);
        (take(&self.successes), take(&self.failures))
    }

    #[inline]
    pub(super) fn begin(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn end(&self, done: &Done) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        match done.verdict {
            Verdict::Healthy => {
                self.successes.fetch_add(1, Ordering::Relaxed);
                if self.consecutive.load(Ordering::Relaxed) != 0 {
                    self.consecutive.store(0, Ordering::Relaxed);
                }
                self.tend(1.0);
            }
            Verdict::Failed => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.consecutive.fetch_add(1, Ordering::Relaxed);
                self.tend(0.0);
            }
            Verdict::Doubtful => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            _ => {}
        }
        if let (Some(latency), Some(now)) = (done.latency, done.now) {
            match done.verdict {
                Verdict::Healthy | Verdict::Doubtful => self.sample(latency, now),
                // One that fails fast is not fast: its failures never make it look better than it did.
                Verdict::Failed | Verdict::Overloaded => {
                    let known = self.latency(now).unwrap_or(0.0);
                    self.sample(latency.max(Duration::from_secs_f32(known * 1e-9)), now);
                }
                _ => {}
            }
        }
    }

    fn tend(&self, to: f32) {
        let was = self.success();
        if was.to_bits() != to.to_bits() {
            let is = was + SUCCESS_SHARE * (to - was);
            // Close to the end of the scale it would never arrive.
            let is = if (is - to).abs() < 1e-3 { to } else { is };
            self.success.store(is.to_bits(), Ordering::Relaxed);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn sample(&self, latency: Duration, now: Instant) {
        let sample = (latency.as_nanos() as f32).max(1.0);
        let tick = self.tick(now);
        let packed = self.latency.load(Ordering::Relaxed);
        let estimate = if packed == 0 {
            sample
        } else {
            let (estimate, at) = unpack(packed);
            let passed = tick.wrapping_sub(at);
            if sample >= estimate {
                sample
            } else if passed == 0 {
                // Within one tick nothing decays; the next sample counts for the time that passes until then.
                return;
            } else {
                let kept = decay(passed);
                estimate * kept + sample * (1.0 - kept)
            }
        };
        self.latency.store(pack(estimate, tick), Ordering::Relaxed);
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "it wraps after three days, and is compared by difference"
    )]
    fn tick(&self, now: Instant) -> u32 {
        (now.saturating_duration_since(self.first_seen).as_nanos() >> TICK) as u32
    }
}

/// What is left of an estimate after some ticks.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn decay(ticks: u32) -> f32 {
    let tau = (TAU.as_nanos() >> TICK) as f32;
    (-(ticks as f32) / tau).exp()
}

fn pack(estimate: f32, tick: u32) -> u64 {
    (u64::from(estimate.to_bits()) << 32) | u64::from(tick)
}

#[allow(clippy::cast_possible_truncation, reason = "the two halves of a word")]
fn unpack(packed: u64) -> (f32, u32) {
    (f32::from_bits((packed >> 32) as u32), packed as u32)
}
