//! What is known of a failure, for whoever must decide what to do next.

use std::time::Duration;

use super::{Code, Pushback, Status};

/// The facts of one hop.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    not_processed: bool,
    overload: bool,
    retryable: Option<bool>,
    no_retry: bool,
    pushback: Option<Pushback>,
    /// Set once a channel has returned it: what it says is then of a call that this process made.
    from_call: bool,
}

impl Status {
    /// False only if the server certainly did not start on the request: any method may then be sent again.
    pub fn was_processed(&self) -> bool {
        !self.0.facts.not_processed
    }

    /// True if the same request, sent again, may well succeed.
    ///
    /// Says nothing of whether sending it again is *safe*: see [`was_processed`](Self::was_processed) and the
    /// idempotency of the method. Without a word from the peer, UNAVAILABLE is retryable and nothing else is.
    pub fn is_retryable(&self) -> bool {
        let facts = &self.0.facts;
        if facts.no_retry {
            return false;
        }
        facts.retryable.unwrap_or(facts.not_processed || self.0.code == Code::Unavailable)
    }

    /// True if the callee, or we for it, had no capacity: do not retry at once.
    pub fn is_overload(&self) -> bool {
        self.0.facts.overload
    }

    /// How long the peer asks us to stay away.
    pub fn pushback(&self) -> Option<Duration> {
        self.0.facts.pushback
    }

    /// True if the peer forbids a retry (a negative `grpc-retry-pushback-ms`).
    pub fn forbids_retry(&self) -> bool {
        self.0.facts.no_retry
    }

    /// Marks the request as certainly not begun.
    pub fn not_processed(mut self) -> Self {
        self.0.facts.not_processed = true;
        self
    }

    /// Marks it as overload.
    pub fn overload(mut self) -> Self {
        self.0.facts.overload = true;
        self
    }

    /// Says whether the same request may succeed if sent again.
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.0.facts.retryable = Some(retryable);
        self
    }

    /// Asks the caller to stay away for a while.
    pub fn with_pushback(mut self, pushback: Duration) -> Self {
        self.0.facts.pushback = Some(pushback);
        self
    }

    /// Forbids the caller to send it again.
    pub fn without_retry(mut self) -> Self {
        self.0.facts.no_retry = true;
        self
    }

    /// Marks it as the outcome of a call that this process made. Channels do this as the last thing.
    #[doc(hidden)]
    pub fn received(mut self) -> Self {
        self.0.facts.from_call = true;
        self
    }

    /// Takes off what was a fact of the hop below only.
    ///
    /// For a status that a channel returned, "not processed", "retryable", overload and pushback are about that call;
    /// the caller of the handler that passes it on asked for something that *was* begun. A status that the handler
    /// made itself keeps what it says, except that it was processed.
    pub fn leave_hop(mut self) -> Self {
        if self.0.facts.from_call {
            self.0.facts = Facts { retryable: Some(false), ..Facts::default() };
            self.0.metadata = crate::Metadata::new();
        } else {
            self.0.facts.not_processed = false;
        }
        self
    }
}
