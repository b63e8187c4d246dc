//! An estimate that fades with time, in one word.

use std::sync::atomic::{AtomicU64, Ordering};

/// A tick, in powers of two of a nanosecond: 65.5 microseconds.
pub(super) const TICK: u32 = 16;
/// Ticks after which an estimate has faded to 1/e: ten seconds, Finagle's and linkerd's.
#[allow(clippy::cast_precision_loss, reason = "a time constant")]
const TAU: f32 = (10_000_000_000_u64 >> TICK) as f32;

/// In units of that.
const SHORT: f32 = 1.0 / 16.0;
const MINUTE: u32 = (60_000_000_000_u64 >> TICK) as u32;

/// A number of 0 and more, and when it was learnt: f32 in the upper half, ticks in the lower. All zero: nothing is known.
///
/// Two that learn at the same instant may lose one of the samples, which an estimate can bear.
#[derive(Debug, Default)]
pub(super) struct Estimate(AtomicU64);

impl Estimate {
    /// What is left of it. `None` before the first sample.
    #[inline]
    pub(super) fn at(&self, tick: u32) -> Option<f32> {
        self.at_and_last(tick).map(|(left, _)| left)
    }

    /// What is left of it, and what was learnt last, as if no time had passed.
    #[inline]
    pub(super) fn at_and_last(&self, tick: u32) -> Option<(f32, f32)> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            packed => {
                let (value, at) = unpack(packed);
                Some((value * kept(tick.wrapping_sub(at)), value))
            }
        }
    }

    /// What was learnt last, as if no time had passed. 0 before the first sample.
    #[inline]
    pub(super) fn last(&self) -> f32 {
        unpack(self.0.load(Ordering::Relaxed)).0
    }

    /// Learns another value.
    #[inline]
    pub(super) fn set(&self, value: f32, tick: u32) {
        self.0.store(pack(value, tick), Ordering::Relaxed);
    }

    /// A peak counts at once; from there it nears smaller samples the more, the longer none came.
    ///
    /// Peak EWMA: Finagle's `PeakEwma`, Linkerd's and tower's, in which the share of a sample is that of the time since the
    /// one before. What comes within a tick of the last sample, and is smaller, says nothing new.
    pub(super) fn peak(&self, sample: f32, tick: u32) {
        let packed = self.0.load(Ordering::Relaxed);
        let (value, at) = unpack(packed);
        let passed = tick.wrapping_sub(at);
        let next = if packed == 0 || sample >= value {
            sample
        } else if passed == 0 {
            return;
        } else {
            let kept = kept(passed);
            value * kept + sample * (1.0 - kept)
        };
        self.set(next, tick);
    }
}

/// What is left of an estimate after some ticks.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
#[inline]
fn kept(ticks: u32) -> f32 {
    // Another thread may have learnt something since this one looked at the clock: that is no time, not all time.
    if ticks == 0 || ticks > u32::MAX - MINUTE {
        return 1.0;
    }
    let passed = ticks as f32 / TAU;
    if passed < SHORT {
        // As good as the function to four digits, and what nearly all calls take.
        return 1.0 - passed + passed * passed * 0.5;
    }
    (-passed).exp()
}

fn pack(value: f32, tick: u32) -> u64 {
    // 0 is "nothing"; what is that small at that tick may be a little more.
    ((u64::from(value.to_bits()) << 32) | u64::from(tick)).max(1)
}

#[inline]
fn unpack(packed: u64) -> (f32, u32) {
    (f32::from_bits((packed >> 32) as u32), packed as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u32 = (1_000_000_000_u64 >> TICK) as u32;

    fn close(is: Option<f32>, wanted: f32) {
        let is = is.unwrap();
        assert!((is - wanted).abs() < wanted * 1e-3, "{is}, not {wanted}");
    }

    #[test]
    fn a_peak_counts_at_once_and_fades() {
        let estimate = Estimate::default();
        assert_eq!(estimate.at(7), None);
        estimate.peak(100.0, 0);
        estimate.peak(500.0, 1);
        close(estimate.at(1), 500.0);
        close(estimate.at(1 + 10 * SECOND), 500.0 / std::f32::consts::E);
    }

    #[test]
    fn smaller_samples_count_by_the_time_since_the_last() {
        let estimate = Estimate::default();
        estimate.peak(100.0, 0);
        estimate.peak(10.0, 0);
        close(estimate.at(0), 100.0);
        estimate.peak(10.0, 10 * SECOND);
        let kept = 1.0 / std::f32::consts::E;
        close(estimate.at(10 * SECOND), 100.0 * kept + 10.0 * (1.0 - kept));
    }

    #[test]
    fn what_is_left_has_no_step() {
        let mut before = 1.0;
        for ticks in (0..20 * SECOND).step_by(100) {
            let kept = kept(ticks);
            #[allow(clippy::cast_precision_loss)]
            let wanted = (-(ticks as f32) / TAU).exp();
            assert!((kept - wanted).abs() < 1e-4 && kept <= before, "{ticks}: {kept}");
            before = kept;
        }
    }

    #[test]
    fn who_looked_at_the_clock_before_the_last_sample_sees_it_whole() {
        let estimate = Estimate::default();
        estimate.peak(100.0, 1000);
        close(estimate.at(990), 100.0);
    }
}
