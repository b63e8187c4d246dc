//! Virtual time.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// A moment of virtual time: nanoseconds since the run began.
///
/// One word, since the agenda is full of them. It ends after 584 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(u64);

impl Time {
    /// When a run begins.
    pub const START: Self = Self(0);

    /// `seconds` after the start; the start itself for what is negative or no number.
    pub fn from_secs_f64(seconds: f64) -> Self {
        Self::START.plus(seconds)
    }

    /// How long ago the run began.
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// The same in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.since_start().as_secs_f64()
    }

    /// `seconds` later. Never earlier, and never the end of time by a division by nothing: both count as zero and as a
    /// century.
    pub fn plus(self, seconds: f64) -> Self {
        const CENTURY: f64 = 3.2e9;
        let seconds = if seconds.is_nan() { 0.0 } else { seconds };
        #[expect(clippy::cast_sign_loss, reason = "clamped")]
        Self(self.0 + (seconds.clamp(0.0, CENTURY) * 1e9) as u64)
    }

    /// That much earlier; the start itself if there was no such moment.
    pub const fn before(self, by: Duration) -> Self {
        Self(self.since_start().saturating_sub(by).as_nanos() as u64)
    }

    /// How much later than `other` this is; nothing if it is earlier.
    pub const fn since(self, other: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(other.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub for Time {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}
