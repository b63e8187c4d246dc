//! What can be set.

use std::time::Duration;

/// Settings of a [`LoadReporter`](super::LoadReporter).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoadReporterConfig {
    /// How often CPU and memory are looked at, and the report is made anew. Default: 500 ms. Not below 10 ms: a kernel
    /// counts CPU in steps of that size.
    pub interval: Duration,
    /// Whether the server is measured. If not, reports hold what the application sets and nothing else, and are renewed
    /// when it does. Default: yes.
    pub measure: bool,
    /// The shortest time between two reports of a stream, whatever its reader asks for. Default: 1 s. Not below 10 ms.
    pub min_stream_interval: Duration,
}

impl Default for LoadReporterConfig {
    fn default() -> Self {
        Self {
            interval: Duration::from_millis(500),
            measure: true,
            min_stream_interval: Duration::from_secs(1),
        }
    }
}

impl LoadReporterConfig {
    const SHORTEST: Duration = Duration::from_millis(10);
    /// A reader that asks for less gets this.
    #[cfg(feature = "prost")]
    const LONGEST: Duration = Duration::from_hours(1);

    pub(super) fn interval(&self) -> Duration {
        self.interval.max(Self::SHORTEST)
    }

    /// The interval of a stream whose reader asks for that.
    #[cfg(feature = "prost")]
    pub(super) fn stream_interval(&self, asked: Option<Duration>) -> Duration {
        let shortest = self.min_stream_interval.max(Self::SHORTEST);
        asked.unwrap_or(shortest).min(Self::LONGEST).max(shortest)
    }
}
