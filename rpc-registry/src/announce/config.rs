//! Times of an announcement.

use std::time::Duration;

/// How an instance is kept announced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceConfig {
    /// How long one exchange with the registry may take; once it is announced, a sixth of the lease at most. Renewals always
    /// have that sixth. Default: 5 s.
    pub timeout: Duration,
    /// How often the record is read back, unless the lease is longer; at least 100 ms. Default: 30 s.
    pub verify: Duration,
    /// How long the withdrawal may take in all. What is not done by then is left to the lease. Default: 3 s.
    pub withdraw: Duration,
    /// Makes the pauses repeatable. Default: drawn anew each time.
    pub seed: Option<u64>,
}

impl Default for AnnounceConfig {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            verify: Duration::from_secs(30),
            withdraw: Duration::from_secs(3),
            seed: None,
        }
    }
}
