//! Settings of ejection.

use std::time::Duration;

use serde::Deserialize;

use crate::{health::InvalidHealth, text};

/// When an endpoint gets no calls for a while, and for how long. See the [module](super).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct EjectConfig {
    /// Whether there is any. Default: yes.
    pub enabled: bool,
    /// How often success rates are compared. Default: 10 s.
    #[serde(deserialize_with = "text::duration")]
    pub sweep: Duration,
    /// How long the first ejection takes; the n-th in a row takes n times as long. Default: 30 s.
    #[serde(deserialize_with = "text::duration")]
    pub base: Duration,
    /// How long one takes at most. Default: 300 s.
    #[serde(deserialize_with = "text::duration")]
    pub max: Duration,
    /// By what part of it, at most, an ejection is cut short at random, so that clients do not all come back at once. 0 to
    /// 0.5. Default: 0.1.
    pub jitter: f32,
    /// The most endpoints that are ejected at a time, in percent of those that can be called when one is ejected; one may always be,
    /// if there are two. 0 to 100. Default: 10.
    pub max_percent: u32,
    /// Failures one after the other that eject at once; 0 switches that off, 10,000 is the most. Default: 5.
    pub consecutive: u32,
    /// Those that fail more often than the others.
    pub success_rate: SuccessRateConfig,
    /// Those that fail too often, whatever the others do.
    pub failure_percentage: FailurePercentageConfig,
    /// Those that are much slower than the others.
    pub latency: LatencyConfig,
}

/// Ejects those whose success rate is out of line with that of the others of their [class](super::Sample::class).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SuccessRateConfig {
    /// Default: yes.
    pub enabled: bool,
    /// How many standard deviations below the mean. Default: 1.9.
    pub stdev: f32,
    /// How far below the mean at least, 0 to 1: where nearly everything succeeds, a deviation is nearly nothing, and one
    /// failure more would eject. Default: 0.05; gRPC's and Envoy's are 0.
    pub min_gap: f32,
    /// How many endpoints of a class must have had enough calls. Default: 5.
    pub min_hosts: u32,
    /// How many calls are enough, between two sweeps. Default: 100.
    pub min_calls: u32,
}

/// Ejects those that fail too often by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct FailurePercentageConfig {
    /// Default: no, as in Envoy: when what is behind the service breaks, all its endpoints fail, and the one that is ejected
    /// is no worse than the others.
    pub enabled: bool,
    /// From this percentage of failures on. Default: 85.
    pub percent: u32,
    /// How many endpoints must have had enough calls. Default: 5.
    pub min_hosts: u32,
    /// How many calls are enough, between two sweeps. Default: 50.
    pub min_calls: u32,
}

/// Ejects those that are much slower than the others of their [class](super::Sample::class).
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct LatencyConfig {
    /// Default: yes.
    pub enabled: bool,
    /// How many times as slow as the others' median its mean must be. Greater than 1. Default: 5.
    pub factor: f32,
    /// And by how much slower at least: among fast ones a factor is soon reached, and does not matter. Default: 5 ms.
    #[serde(deserialize_with = "text::duration")]
    pub min_gap: Duration,
    /// How long calls are watched before means are compared. Default: 2 s.
    #[serde(deserialize_with = "text::duration")]
    pub window: Duration,
    /// How many windows one after the other it must be too slow in: a pause of the garbage collector is no sickness.
    /// At least 1. Default: 2.
    pub windows: u32,
    /// How many endpoints of a class must have had enough calls. At least 3: of two, nobody knows which is the odd one. Default: 3.
    pub min_hosts: u32,
    /// How many calls are enough whose time was taken; where there are fewer in a window, those of the next ones are added.
    /// Default: 10.
    pub min_calls: u32,
}

impl Default for EjectConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            sweep: Duration::from_secs(10),
            base: Duration::from_secs(30),
            max: Duration::from_mins(5),
            jitter: 0.1,
            max_percent: 10,
            consecutive: 5,
            success_rate: SuccessRateConfig::default(),
            failure_percentage: FailurePercentageConfig::default(),
            latency: LatencyConfig::default(),
        }
    }
}

impl Default for SuccessRateConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            stdev: 1.9,
            min_gap: 0.05,
            min_hosts: 5,
            min_calls: 100,
        }
    }
}

impl Default for FailurePercentageConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            percent: 85,
            min_hosts: 5,
            min_calls: 50,
        }
    }
}

impl Default for LatencyConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            factor: 5.0,
            min_gap: Duration::from_millis(5),
            window: Duration::from_secs(2),
            windows: 2,
            min_hosts: 3,
            min_calls: 10,
        }
    }
}

impl EjectConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nobody is ejected.
    pub fn off() -> Self {
        Self {
            enabled: false,
            ..Self::default()
        }
    }

    /// True if calls must be timed for it.
    pub(crate) fn needs_latency(&self) -> bool {
        self.enabled && self.latency.enabled
    }

    /// How many of so many endpoints may be ejected at a time.
    pub fn cap(&self, endpoints: usize) -> usize {
        if endpoints < 2 {
            // Nobody would be left, and everybody would get calls again.
            return 0;
        }
        let percent = self.max_percent.min(100) as usize;
        (endpoints.saturating_mul(percent) / 100).max(1)
    }

    pub(crate) fn check(&self) -> Result<(), InvalidHealth> {
        let unless = InvalidHealth::unless;
        let second = Duration::from_secs(1);
        unless(self.sweep >= second, "eject.sweep", "must be at least 1s")?;
        unless(!self.base.is_zero(), "eject.base", "must be greater than 0")?;
        unless(
            self.max >= self.base && self.max <= second * 86_400,
            "eject.max",
            "must be at least `eject.base`, and at most 24 hours",
        )?;
        unless(
            (0.0..=0.5).contains(&self.jitter),
            "eject.jitter",
            "must be between 0 and 0.5",
        )?;
        unless(
            self.max_percent <= 100,
            "eject.max_percent",
            "must be between 0 and 100",
        )?;
        unless(
            self.consecutive <= 10_000,
            "eject.consecutive",
            "must be at most 10000",
        )?;
        let rate = &self.success_rate;
        unless(
            rate.stdev >= 0.0 && rate.stdev.is_finite(),
            "eject.success_rate.stdev",
            "must be 0 or greater",
        )?;
        unless(
            (0.0..=1.0).contains(&rate.min_gap),
            "eject.success_rate.min_gap",
            "must be between 0 and 1",
        )?;
        unless(
            rate.min_calls > 0,
            "eject.success_rate.min_calls",
            "must be greater than 0",
        )?;
        let failures = &self.failure_percentage;
        unless(
            (1..=100).contains(&failures.percent),
            "eject.failure_percentage.percent",
            "must be between 1 and 100",
        )?;
        unless(
            failures.min_calls > 0,
            "eject.failure_percentage.min_calls",
            "must be greater than 0",
        )?;
        let latency = &self.latency;
        unless(
            latency.factor > 1.0 && latency.factor.is_finite(),
            "eject.latency.factor",
            "must be greater than 1",
        )?;
        unless(
            latency.window >= second,
            "eject.latency.window",
            "must be at least 1s",
        )?;
        unless(
            latency.windows > 0,
            "eject.latency.windows",
            "must be greater than 0",
        )?;
        unless(
            latency.min_hosts >= 3,
            "eject.latency.min_hosts",
            "must be at least 3",
        )?;
        unless(
            latency.min_calls > 0,
            "eject.latency.min_calls",
            "must be greater than 0",
        )
    }
}
