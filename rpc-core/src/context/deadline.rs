//! A deadline: an instant in memory, a remaining duration on the wire.

use std::{fmt, time::Duration};

use tokio::time::Instant;

/// When a caller stops waiting.
///
/// On the wire it is the time that is left, so the clocks of two machines need not agree; each hop passes on what is
/// left of it. Reads tokio's clock, so that it stands still in a test whose clock does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// More than anybody waits, and little enough that no addition overflows: 100 years.
const FOREVER: Duration = Duration::from_hours(100 * 365 * 24);

impl Deadline {
    /// The deadline `timeout` from now; more than 100 years counts as 100 years.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now() + timeout.min(FOREVER))
    }

    /// The deadline at an instant.
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The instant.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left of it; zero once it passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// True once it passed.
    pub fn has_passed(self) -> bool {
        self.0 <= Instant::now()
    }

    /// The earlier of two, where none is no bound.
    pub fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {:?}", self.remaining())
    }
}
