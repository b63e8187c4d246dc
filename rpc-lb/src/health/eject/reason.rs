//! Why an endpoint was ejected.

use std::{fmt, time::Duration};

/// Why an endpoint was ejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EjectReason {
    /// So many calls failed one after the other.
    ConsecutiveFailures(u32),
    /// It fails more often than the others do.
    SuccessRate {
        /// Its successes.
        percent: u32,
        /// Those of its class, on average.
        mean_percent: u32,
    },
    /// It fails too often, whatever the others do.
    FailurePercentage {
        /// Its failures.
        percent: u32,
    },
    /// It is much slower than the others.
    Latency {
        /// What its calls take, on average.
        mean: Duration,
        /// The median of what those of its class take on average.
        median: Duration,
    },
}

impl EjectReason {
    /// The word for it in metrics and events: `consecutive_failures`, `success_rate`, `failure_percentage`, `latency`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::ConsecutiveFailures(_) => "consecutive_failures",
            Self::SuccessRate { .. } => "success_rate",
            Self::FailurePercentage { .. } => "failure_percentage",
            Self::Latency { .. } => "latency",
        }
    }

    /// True if calls fail there; false if they succeed, late.
    pub(super) fn is_failure(&self) -> bool {
        !matches!(self, Self::Latency { .. })
    }
}

impl fmt::Display for EjectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsecutiveFailures(count) => write!(f, "{count} failures one after the other"),
            Self::SuccessRate {
                percent,
                mean_percent,
            } => write!(
                f,
                "{percent} % of calls succeed, {mean_percent} % at endpoints like it"
            ),
            Self::FailurePercentage { percent } => write!(f, "{percent} % of calls fail"),
            Self::Latency { mean, median } => {
                write!(
                    f,
                    "calls take {mean:.0?} on average, {median:.0?} at endpoints like it"
                )
            }
        }
    }
}
