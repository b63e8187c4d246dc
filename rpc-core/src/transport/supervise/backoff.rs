//! How long to stay away from an address.

use std::time::Duration;

use crate::BuildError;

/// The share of a connection's life that the pause after it may take at most.
const SHARE_OF_LIFE: u32 = 10;

/// How long to stay away from an address, by attempt: `base * factor^n`, at most `max`, give or take `jitter`. The formula
/// and its numbers are gRPC's (its document *Connection Backoff Protocol*).
///
/// Time counts from the beginning of the attempt that failed. It starts anew once a connection has proved itself: a call was
/// answered on it, or it lasted for [`proof`](Self::proof). A server that takes connections only to drop them is so
/// stayed away from as one that takes none: from the fourth such connection in a row on, calls fail while it is paused.
/// One that the server sends away in good order before anybody has called it says nothing against the server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Backoff {
    /// The most that is waited after a connection was lost, before the first attempt to make another; chance takes a part of
    /// it. Clients that lost the same server in the same moment come back spread over this time: 100 ms keep a thousand
    /// of them under ten a millisecond, which is about what a server of a few cores can shake hands with. Never more
    /// than a tenth of the time that the lost connection lasted, so that a server which closes connections after so many calls
    /// costs little. Nothing: at once. Default: 100 ms.
    pub first: Duration,
    /// After the first failure. Default: 1 s.
    pub base: Duration,
    /// By how much it grows with each further failure; at least 1. Default: 1.6.
    pub factor: f64,
    /// The share that chance adds or takes, 0 to 1: clients that lost the same server do not come back together.
    /// Default: 0.2.
    pub jitter: f64,
    /// The most, before chance. Default: 120 s.
    pub max: Duration,
    /// How long a connection has to last to prove itself, if no call is answered on it before. Default: 5 s.
    pub proof: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            base: Duration::from_secs(1),
            factor: 1.6,
            jitter: 0.2,
            max: Duration::from_mins(2),
            proof: Duration::from_secs(5),
        }
    }
}

impl Backoff {
    /// The pause after `failures` attempts in a row have failed; none after none.
    pub fn pause(&self, failures: u32) -> Duration {
        let Some(exponent) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let grown = self.base.as_secs_f64() * self.factor.powi(exponent.min(1_000).cast_signed());
        let chance = 1.0 + self.jitter * (fastrand::f64() * 2.0 - 1.0);
        Duration::from_secs_f64(grown.min(self.max.as_secs_f64()) * chance)
    }

    /// The pause after the loss of a connection that lasted so long, before the first attempt to make another.
    pub fn first_pause(&self, lasted: Duration) -> Duration {
        self.first.min(lasted / SHARE_OF_LIFE).mul_f64(fastrand::f64())
    }

    pub(super) fn check(&self) -> Result<(), BuildError> {
        let wrong = |field: &'static str, problem: &'static str| Err(BuildError::new(field, problem));
        if self.base.is_zero() {
            return wrong("link.backoff.base", "must be longer than nothing");
        }
        if !(self.factor >= 1.0 && self.factor.is_finite()) {
            return wrong("link.backoff.factor", "must be at least 1");
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return wrong("link.backoff.jitter", "must be 0 to 1");
        }
        if self.max < self.base || self.max > Duration::from_hours(24) {
            return wrong(
                "link.backoff.max",
                "must be at least `link.backoff.base`, and at most a day",
            );
        }
        if self.first > Duration::from_hours(1) {
            return wrong("link.backoff.first", "must be at most an hour");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_its_bound() {
        let backoff = Backoff {
            jitter: 0.0,
            ..Backoff::default()
        };
        let seconds = |failures| backoff.pause(failures).as_secs_f64();
        assert!(backoff.pause(0).is_zero());
        assert!((seconds(1) - 1.0).abs() < 1e-9);
        assert!((seconds(2) - 1.6).abs() < 1e-9);
        assert!((seconds(3) - 2.56).abs() < 1e-9);
        assert!((seconds(30) - 120.0).abs() < 1e-9);
        assert!((seconds(u32::MAX) - 120.0).abs() < 1e-9);
    }

    #[test]
    fn chance_stays_within_its_share() {
        let backoff = Backoff::default();
        for _ in 0..1000 {
            let pause = backoff.pause(1).as_secs_f64();
            assert!((0.8..=1.2).contains(&pause), "{pause}");
        }
    }

    #[test]
    fn the_first_pause_is_short_after_a_short_life() {
        let backoff = Backoff::default();
        let longest = |lasted| (0..1000).map(|_| backoff.first_pause(lasted)).max().unwrap();
        let after_long = longest(Duration::from_mins(1));
        assert!(after_long > Duration::from_millis(90) && after_long <= Duration::from_millis(100));
        assert!(longest(Duration::from_millis(50)) <= Duration::from_millis(5));
        assert!(longest(Duration::ZERO).is_zero());
    }
}
