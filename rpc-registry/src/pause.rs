//! Pauses between attempts.
//!
//! The pause after the n-th fault in a row is drawn evenly from 0 to `min(30 s, 0.5 s * 2^n)` ("full jitter", AWS
//! Architecture Blog, *Exponential Backoff and Jitter*, 2015): spreading it over the whole range keeps a thousand clients
//! from coming back to a restarted registry at the same instant, which a pause with a few per cent of jitter does not.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// So long without a fault, and the row begins anew.
pub(crate) const FORGOTTEN: Duration = Duration::from_mins(1);
/// 30 years: what "for ever" is on a clock that cannot add so much.
const FAR: Duration = Duration::from_hours(24 * 365 * 30);

/// The moment that is so much later, however much that is.
pub(crate) fn later(moment: Instant, by: Duration) -> Instant {
    moment.checked_add(by).unwrap_or_else(|| moment + FAR)
}

/// The pauses of one row of faults after the other.
#[derive(Debug)]
pub(crate) struct Pauses {
    random: fastrand::Rng,
    faults: u32,
    last: Option<Instant>,
}

impl Pauses {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self {
            random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            faults: 0,
            last: None,
        }
    }

    /// How long to wait after this fault.
    pub(crate) fn next(&mut self) -> Duration {
        let now = Instant::now();
        // What pauses between two attempts is not time without a fault.
        if self.last.is_some_and(|last| now.duration_since(last) > FORGOTTEN) {
            self.faults = 0;
        }
        let most = FIRST.saturating_mul(1 << self.faults.min(16)).min(LONGEST);
        self.faults = self.faults.saturating_add(1);
        self.last = Some(now);
        self.up_to(most)
    }

    /// Evenly from 0 to `most`.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }

    /// A tenth more or less.
    pub(crate) fn about(&mut self, duration: Duration) -> Duration {
        let seconds = duration.as_secs_f64() * (0.9 + 0.2 * self.random.f64());
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_stay_below_the_longest_and_begin_anew_after_a_minute() {
        let mut pauses = Pauses::new(Some(7));
        for faults in 0..40 {
            let most = FIRST.saturating_mul(1 << faults.min(16)).min(LONGEST);
            assert!(pauses.next() <= most);
        }
        tokio::time::advance(FORGOTTEN + Duration::from_secs(1)).await;
        assert!(pauses.next() <= FIRST);
    }
}
