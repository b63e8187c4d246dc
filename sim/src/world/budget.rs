//! How many further attempts a client may make.

use crate::Time;

/// When a failed call is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryConfig {
    /// Attempts of a call at most. One is never to try again.
    pub attempts: u32,
    /// The longest pause before the second attempt, in seconds; it doubles with each. How long it is, is drawn evenly from
    /// nothing to that.
    pub pause: f64,
    /// Further attempts for each first one, over about ten seconds. Infinite: no budget.
    pub ratio: f64,
    /// Further attempts in a second that are always allowed.
    pub per_second: f64,
    /// A call that is itself a further attempt is not tried again below.
    pub stops_below: bool,
}

impl RetryConfig {
    /// One attempt.
    pub const OFF: Self = Self {
        attempts: 1,
        pause: 0.0,
        ratio: 0.0,
        per_second: 0.0,
        stops_below: true,
    };

    /// Up to three attempts, at most a tenth of all calls.
    pub const BUDGETED: Self = Self {
        attempts: 3,
        pause: 0.050,
        ratio: 0.1,
        per_second: 10.0,
        stops_below: true,
    };
}

/// One client's account of further attempts: a bucket that first attempts fill.
#[derive(Debug)]
pub(super) struct Budget {
    config: RetryConfig,
    tokens: f64,
    at: Time,
}

/// Seconds of [`RetryConfig::per_second`] that can be saved up.
const SAVED: f64 = 10.0;

impl Budget {
    pub(super) fn new(config: RetryConfig) -> Self {
        Self {
            config,
            tokens: config.per_second,
            at: Time::START,
        }
    }

    /// A first attempt.
    pub(super) fn deposit(&mut self) {
        self.tokens += self.config.ratio;
    }

    /// True if there may be another attempt; it is paid for then.
    pub(super) fn withdraw(&mut self, now: Time) -> bool {
        let earned = (now - self.at).as_secs_f64() * self.config.per_second;
        self.at = now;
        self.tokens = (self.tokens + earned).min(SAVED * self.config.per_second.max(1.0));
        if self.config.ratio.is_infinite() {
            return true;
        }
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_calls_may_be_tried_again() {
        let mut budget = Budget::new(RetryConfig {
            per_second: 0.0,
            ..RetryConfig::BUDGETED
        });
        let mut allowed = 0;
        for _ in 0..1000 {
            budget.deposit();
            allowed += usize::from(budget.withdraw(Time::START));
        }
        assert!((99..=100).contains(&allowed), "{allowed}");
    }

    #[test]
    fn a_few_are_always_allowed_and_not_many_are_saved_up() {
        let config = RetryConfig {
            ratio: 0.0,
            ..RetryConfig::BUDGETED
        };
        let mut budget = Budget::new(config);
        let hour = Time::from_secs_f64(3600.0);
        let allowed = (0..1000).filter(|_| budget.withdraw(hour)).count();
        assert_eq!(allowed, 100);
    }
}
