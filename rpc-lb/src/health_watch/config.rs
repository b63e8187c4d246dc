//! What can be set.

use std::time::Duration;

/// Settings of a [`HealthWatch`](super::HealthWatch).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HealthWatchConfig {
    /// The longest pause after the first stream that ended without an answer. Default: 1 s. Not below 1 ms.
    pub first_pause: Duration,
    /// The longest pause there is. Default: 2 min.
    pub longest_pause: Duration,
    /// Where the pauses are drawn from; `None`, the default, is another place each time.
    pub seed: Option<u64>,
}

impl Default for HealthWatchConfig {
    /// The pauses of gRPC's connection back-off, which its health checks use as well.
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_mins(2),
            seed: None,
        }
    }
}

/// The pauses of one watch.
pub(super) struct Pauses {
    first: Duration,
    longest: Duration,
    random: fastrand::Rng,
    unanswered: u32,
}

impl Pauses {
    pub(super) fn new(config: &HealthWatchConfig) -> Self {
        Self {
            // A peer that refuses each stream at once must not make us busy.
            first: config.first_pause.max(Duration::from_millis(1)),
            longest: config.longest_pause.max(Duration::from_millis(1)),
            random: config
                .seed
                .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
            unanswered: 0,
        }
    }

    /// The stream was answered.
    pub(super) fn reset(&mut self) {
        self.unanswered = 0;
    }

    /// How long to wait before the next stream.
    pub(super) fn next(&mut self) -> Duration {
        let most = self.first.saturating_mul(1 << self.unanswered.min(16));
        self.unanswered = self.unanswered.saturating_add(1);
        most.min(self.longest).mul_f64(self.random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_begin_anew() {
        let config = HealthWatchConfig {
            seed: Some(3),
            ..HealthWatchConfig::default()
        };
        let mut pauses = Pauses::new(&config);
        for unanswered in 0..100 {
            let most = config.first_pause * (1 << unanswered.min(16));
            assert!(pauses.next() <= most.min(config.longest_pause));
        }
        let late: Duration = (0..100).map(|_| pauses.next()).sum();
        assert!(
            late > config.longest_pause * 30,
            "evenly up to the longest: {late:?}"
        );
        pauses.reset();
        assert!(pauses.next() <= config.first_pause);
    }
}
