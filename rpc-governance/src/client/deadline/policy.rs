//! Which deadline a call gets.

use std::time::Duration;

use rpc_core::{
    Call, Deadline, Shape, Status,
    context::Expiry,
    status::{Side, reason},
};

/// Which deadline a call gets: the earliest of what is asked for, inherited, and given to the method by its author.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadlinePolicy {
    /// What unary calls without any other deadline get. `None`: no bound. Default: 10 seconds.
    pub unary_default: Option<Duration>,
    /// Whether the timeouts that methods' authors gave them count, each an upper bound for all calls of the method. Default:
    /// true.
    pub method_timeouts: bool,
}

impl DeadlinePolicy {
    /// The default of [`unary_default`](Self::unary_default).
    pub const UNARY_DEFAULT: Duration = Duration::from_secs(10);

    /// No deadline but the one that is asked for or inherited.
    pub const fn explicit_only() -> Self {
        Self {
            unary_default: None,
            method_timeouts: false,
        }
    }

    /// The same with another default for unary calls.
    pub fn with_unary_default(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.unary_default = timeout.into();
        self
    }

    /// Settles the deadline of a call.
    ///
    /// # Errors
    /// If it has passed.
    #[inline]
    pub(super) fn settle(&self, call: &Call<'_>) -> Result<Option<Deadline>, Status> {
        let Some((deadline, is_late)) = self.effective(call) else {
            return Ok(None);
        };
        if is_late {
            // Nothing was sent. That makes it safe to send again, and no more likely to succeed.
            return Err(ours(Expiry::status()).not_processed().with_retryable(false));
        }
        Ok(Some(deadline))
    }

    /// The deadline of a call, and whether it has passed already.
    #[inline]
    fn effective(&self, call: &Call<'_>) -> Option<(Deadline, bool)> {
        let asked = call.context.deadline();
        let method = call
            .method
            .default_timeout()
            .filter(|_| self.method_timeouts)
            .map(Deadline::after);
        if let Some(deadline) = Deadline::earlier(asked, method) {
            return Some((deadline, deadline.has_passed()));
        }
        // What was just made needs no second look at the clock.
        let timeout = self
            .unary_default
            .filter(|_| call.method.shape() == Shape::Unary)?;
        Some((Deadline::after(timeout), timeout.is_zero()))
    }
}

impl Default for DeadlinePolicy {
    fn default() -> Self {
        Self {
            unary_default: Some(Self::UNARY_DEFAULT),
            method_timeouts: true,
        }
    }
}

/// It is we who stop waiting.
pub(super) fn ours(status: Status) -> Status {
    status.at_side(Side::Client)
}

/// True if something below was ended by a deadline and does not know whose that is: it is the one that was settled here.
pub(super) fn is_unclaimed(status: &Status) -> bool {
    status.place().side().is_none()
        && status.reason() == Some(reason::DEADLINE_PASSED)
        && status.domain() == Some(reason::DOMAIN)
}
