//! How the share of a young endpoint grows.
//!
//! A process that has just started is slow: its caches are cold, its pools are empty, its connections are new. Given its full
//! share at once, it answers late or not at all. The curve is Envoy's:
//!
//! ```text
//! share = weight * max(min, (age / window) ^ (1 / aggression))
//! ```
//!
//! An aggression of 1 is a straight line; a larger one gives more at the beginning.
//!
//! # Age
//! It counts from the start that the instance's record tells, else from when this client first saw it. One that was there
//! when the client itself began, and does not say since when, counts as grown. A start that lies in the future, because the
//! clocks differ, is taken as now: differing clocks make an endpoint young for one window at most, or not at all.
//!
//! # When all are young
//! Nobody is held back where all that can be called are: the calls have nowhere else to go, and differences between young ones are noise.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use super::InvalidHealth;
use crate::text;

/// Settings of the slow start: how a young endpoint grows into its share.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SlowStartConfig {
    /// How long an endpoint is young; 0 switches the slow start off. Default: 30 s.
    #[serde(deserialize_with = "text::duration")]
    pub window: Duration,
    /// How steep the beginning is. Greater than 0, at most 100. Default: 1, a straight line.
    pub aggression: f32,
    /// The share at the very beginning, of its full one: 0 to 1. Default: 0.1.
    pub min: f32,
}

impl Default for SlowStartConfig {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            aggression: 1.0,
            min: 0.1,
        }
    }
}

impl SlowStartConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everybody gets the full share at once.
    pub fn off() -> Self {
        Self {
            window: Duration::ZERO,
            ..Self::default()
        }
    }

    /// Sets how long an endpoint is young.
    pub fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets how steep the beginning is.
    pub fn with_aggression(mut self, aggression: f32) -> Self {
        self.aggression = aggression;
        self
    }

    /// Sets the share at the very beginning.
    pub fn with_min(mut self, min: f32) -> Self {
        self.min = min;
        self
    }

    /// The part of its full share that an endpoint of this age gets: `min` to 1.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use rpc_lb::health::SlowStartConfig;
    ///
    /// let curve = SlowStartConfig::default();
    /// assert_eq!(curve.share(Duration::ZERO), 0.1);
    /// assert_eq!(curve.share(Duration::from_secs(15)), 0.5);
    /// assert_eq!(curve.share(Duration::from_secs(30)), 1.0);
    /// ```
    pub fn share(&self, age: Duration) -> f32 {
        if age >= self.window {
            return 1.0;
        }
        let part = age.as_secs_f32() / self.window.as_secs_f32();
        let share = part.powf(1.0 / self.aggression.clamp(0.01, 100.0));
        share.max(self.min).clamp(0.0, 1.0)
    }

    pub(super) fn check(&self) -> Result<(), InvalidHealth> {
        let unless = InvalidHealth::unless;
        unless(
            self.aggression > 0.0 && self.aggression <= 100.0,
            "slow_start.aggression",
            "must be greater than 0, and at most 100",
        )?;
        unless(
            (0.0..=1.0).contains(&self.min),
            "slow_start.min",
            "must be between 0 and 1",
        )?;
        unless(
            self.window <= Duration::from_hours(24),
            "slow_start.window",
            "must be at most 24 hours",
        )
    }
}

/// How old an instance is, by its record.
pub(super) fn age(started_at: SystemTime, wall: SystemTime) -> Duration {
    wall.duration_since(started_at).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn follows_the_curve() {
        for aggression in [0.5, 1.0, 2.0] {
            let curve = SlowStartConfig::new().with_aggression(aggression);
            for seconds in 0..40 {
                let age = SECOND * seconds;
                let line = (age.as_secs_f32() / 30.0).min(1.0);
                let expected = line.powf(1.0 / aggression).max(0.1);
                assert!(
                    (curve.share(age) - expected).abs() < 1e-6,
                    "{aggression} {seconds}"
                );
            }
        }
    }

    #[test]
    fn off_is_off() {
        assert!((SlowStartConfig::off().share(Duration::ZERO) - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn a_start_in_the_future_is_now() {
        let wall = SystemTime::UNIX_EPOCH + SECOND * 1000;
        assert_eq!(age(wall + SECOND, wall), Duration::ZERO);
        assert_eq!(age(wall - SECOND, wall), SECOND);
    }
}
