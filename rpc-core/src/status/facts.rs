//! What is known of a failure, for whoever must decide what to do next.

use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{Code, ErrorInfo, Inner, Place, Status, reason};
use crate::Metadata;

/// The facts of one hop.
#[derive(Debug, Clone, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own; none excludes another"
)]
pub(super) struct Facts {
    not_processed: bool,
    overload: bool,
    retryable: Option<bool>,
    no_retry: bool,
    pushback: Option<Duration>,
    /// Set once it was read from details of another call, which somebody has passed on as they were.
    of_another_call: bool,
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
    /// idempotency of the method. Without a word from the peer, UNAVAILABLE is retryable and nothing else is; a request
    /// that was not begun, and a peer that says when to come back, are such words.
    ///
    /// UNAVAILABLE that a handler got from below and passed on is retryable as well: another instance of the service may
    /// reach what this one could not. But it was processed, so only an idempotent method may be sent again.
    pub fn is_retryable(&self) -> bool {
        let facts = &self.0.facts;
        if facts.no_retry {
            return false;
        }
        let said = facts.not_processed || facts.pushback.is_some();
        facts
            .retryable
            .unwrap_or(said || self.0.code == Code::Unavailable)
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

    /// Takes off what was a fact of the hop below only. Dispatch calls it on what a handler returns, and on what a layer
    /// returns of a call that it made; a stub calls it on what a request stream fails with.
    ///
    /// A status that a channel returned and a handler passes on keeps what it *says*: code, message, reason, domain,
    /// details. What is *known* of it ("not processed", "retryable", overload, pushback), its trailers and its place are
    /// of the call below, and the caller of the handler asked for something that *was* begun. They stay in this process,
    /// as the [source](std::error::Error::source) of the status that goes on.
    ///
    /// A status that the handler made itself keeps all that it was given, except that it was processed.
    pub fn leave_hop(mut self) -> Self {
        if !self.0.facts.from_call {
            self.0.facts.not_processed = false;
            return self;
        }
        let passed_on = Inner {
            code: self.0.code,
            message: self.0.message.clone(),
            info: self.0.info.clone(),
            details: self.0.details.clone(),
            metadata: Metadata::new(),
            facts: Facts::default(),
            place: Place::default(),
            source: None,
        };
        let below = std::mem::replace(&mut *self.0, passed_on);
        self.0.source = Some(Arc::new(Self(Box::new(below))));
        self
    }

    /// The same for what a layer of a server returns. What the layer says itself stays as it is: it knows whether it let
    /// the call in.
    pub(crate) fn leave_layers(self) -> Self {
        if self.0.facts.from_call {
            self.leave_hop()
        } else {
            self
        }
    }
}

/// The keys of the facts as parameters of an [`ErrorInfo`].
const NOT_PROCESSED: &str = "not_processed";
const OVERLOAD: &str = "overload";
const RETRYABLE: &str = "retryable";
const NO_RETRY: &str = "no_retry";
/// The path of the method that the others and the pushback are said of.
const AT: &str = "at";

impl Facts {
    pub(super) fn set_pushback(&mut self, pushback: Duration) {
        self.pushback = Some(pushback);
    }

    /// Settles the pushback after details were read: `own` is what the transport has read elsewhere, and counts more.
    pub(super) fn settle_pushback(&mut self, own: Option<Duration>) {
        if own.is_some() || self.of_another_call {
            self.pushback = own;
        }
    }

    /// The facts of a call of the method with this path as parameters, without how long the pushback is. See [`details`](super::details).
    pub(super) fn entries(&self, path: Option<&str>) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        let refused = path.filter(|_| self.not_processed);
        let marks = [
            (OVERLOAD, self.overload.then_some("true")),
            (
                RETRYABLE,
                self.retryable
                    .map(|retryable| if retryable { "true" } else { "false" }),
            ),
            (NO_RETRY, self.no_retry.then_some("true")),
        ];
        let has_marks = marks.iter().any(|(_, value)| value.is_some()) || self.pushback.is_some();
        let said = marks
            .into_iter()
            .filter_map(|(key, value)| Some((key.into(), value?.into())));
        let refused = refused.map(|path| (NOT_PROCESSED.into(), path.to_owned().into()));
        let at = path.filter(|_| has_marks);
        let at = at.map(|path| (AT.into(), path.to_owned().into()));
        refused.into_iter().chain(said).chain(at).collect()
    }

    /// Takes the facts of a call of the method with this path out of an [`ErrorInfo`] of ours; true if it had nothing else to
    /// say.
    pub(super) fn take_from(&mut self, info: &mut ErrorInfo, path: Option<&str>) -> bool {
        if info.domain != reason::DOMAIN {
            return false;
        }
        let at = info.parameter(AT);
        let of_another = path.zip(at).is_some_and(|(path, at)| path != at);
        self.of_another_call |= of_another;
        info.metadata.retain(|(key, value)| {
            let is_true = value == "true";
            match key.as_ref() {
                NOT_PROCESSED => self.not_processed |= path == Some(&**value),
                AT => {}
                OVERLOAD | RETRYABLE | NO_RETRY if of_another => {}
                OVERLOAD => self.overload |= is_true,
                RETRYABLE => self.retryable = Some(is_true),
                NO_RETRY => self.no_retry |= is_true,
                _ => return true,
            }
            false
        });
        info.reason == reason::HOP
    }
}
