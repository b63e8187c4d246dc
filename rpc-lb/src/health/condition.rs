//! Endpoints that are not quite well.
//!
//! They get a part of their share, by the worst of what is known of them:
//!
//! | what | part |
//! | --- | --- |
//! | it would be ejected, but too many are | 0.1 |
//! | less than 80 % of its calls succeed, lately | the share that does, at least 0.1 |
//! | it is asked whether it serves, and has not answered | 0.5 |
//! | its connection was lost more than once, lately | 1 / how often; a loss counts half after 30 s, a quarter after 60 s |
//!
//! One loss is nothing: servers end old connections.

use std::time::Duration;

use tokio::time::Instant;

/// The least part, so that an endpoint can show that it is well again.
const LEAST: f32 = 0.1;
/// Below this share of successes it gets less.
const SUCCESSES: f32 = 0.8;
/// What it gets that does not say whether it serves, though it is asked.
const UNKNOWN: f32 = 0.5;
/// A loss of a connection counts half after this time.
const HALF_LIFE: Duration = Duration::from_secs(30);

/// What is remembered of an endpoint's connection.
#[derive(Debug, Default)]
pub(super) struct Condition {
    losses: f32,
    at: Option<Instant>,
}

impl Condition {
    /// The connection was lost.
    pub(super) fn lose(&mut self, now: Instant) {
        self.losses = self.losses(now) + 1.0;
        self.at = Some(now);
    }

    /// How often the connection was lost, lately.
    fn losses(&self, now: Instant) -> f32 {
        let Some(at) = self.at else {
            return 0.0;
        };
        let age = now.saturating_duration_since(at).as_secs_f32() / HALF_LIFE.as_secs_f32();
        self.losses * (-age).exp2()
    }

    /// The part of its share that it gets.
    pub(super) fn part(&self, now: Instant, success: f32, is_spared: bool, is_unknown: bool) -> f32 {
        if is_spared {
            return LEAST;
        }
        let by_success = if success < SUCCESSES { success } else { 1.0 };
        let by_losses = 1.0 / self.losses(now).max(1.0);
        let by_word = if is_unknown { UNKNOWN } else { 1.0 };
        by_success.min(by_losses).min(by_word).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loss_is_nothing_and_more_are_forgotten() {
        let start = Instant::now();
        let part = |condition: &Condition, seconds| {
            condition.part(start + Duration::from_secs(seconds), 1.0, false, false)
        };
        let mut condition = Condition::default();
        assert!((part(&condition, 0) - 1.0).abs() < 1e-6);
        condition.lose(start);
        assert!((part(&condition, 0) - 1.0).abs() < 1e-6);
        for _ in 0..3 {
            condition.lose(start);
        }
        assert!((part(&condition, 0) - 0.25).abs() < 1e-6);
        assert!((part(&condition, 30) - 0.5).abs() < 1e-6);
        assert!((part(&condition, 60) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_worst_counts_and_nobody_gets_nothing() {
        let condition = Condition::default();
        let now = Instant::now();
        assert!((condition.part(now, 0.9, false, false) - 1.0).abs() < 1e-6);
        assert!((condition.part(now, 0.5, false, true) - 0.5).abs() < 1e-6);
        assert!((condition.part(now, 1.0, false, true) - UNKNOWN).abs() < 1e-6);
        assert!((condition.part(now, 0.0, false, true) - LEAST).abs() < 1e-6);
        assert!((condition.part(now, 1.0, true, false) - LEAST).abs() < 1e-6);
    }
}
