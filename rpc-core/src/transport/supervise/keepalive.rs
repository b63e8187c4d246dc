//! How dead connections are found.

use std::time::Duration;

/// How dead connections are found: a ping when nothing was heard for a while.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Keepalive {
    /// How long nothing may be heard before a ping is sent; less than 10 s counts as 10 s. A call that begins after longer than
    /// that has it sent at once; over the framed protocol, within this time. A server that gets more pings than it likes
    /// closes the connection, and the time is doubled for the next ones. Default: no pings.
    pub interval: Option<Duration>,
    /// How long to wait for anything from the server after a ping before the connection is given up. More than nothing, if
    /// there are pings. Default: 20 s.
    pub timeout: Duration,
    /// Whether to ping while there are no calls. Most gRPC servers mind. Default: no.
    pub without_calls: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: None,
            timeout: Duration::from_secs(20),
            without_calls: false,
        }
    }
}

impl Keepalive {
    /// The time between pings, after the server has complained so many times.
    pub(super) fn interval_after(&self, complaints: u32) -> Option<Duration> {
        let interval = self.interval?.max(Duration::from_secs(10));
        Some(interval.saturating_mul(1 << complaints.min(16)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_heeds_complaints() {
        let keepalive = Keepalive {
            interval: Some(Duration::from_secs(1)),
            ..Keepalive::default()
        };
        assert_eq!(keepalive.interval_after(0), Some(Duration::from_secs(10)));
        assert_eq!(keepalive.interval_after(2), Some(Duration::from_secs(40)));
        assert_eq!(Keepalive::default().interval_after(3), None);
    }
}
