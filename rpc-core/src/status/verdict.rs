//! What the end of a call says of the endpoint that answered it.

use std::error::Error;

use super::{Code, Side, Status, reason};

/// What the end of a call says of whoever answered it. Balancers and ejection read it; a failure of the *caller's* making
/// says nothing of the callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It answered, be it with an error of the application's, or with a message that does not decode: answers are judged
    /// before they are decoded.
    Healthy,
    /// It failed: no connection, a lost one, a deadline that passed, a panic, an answer that breaks the protocol.
    Failed,
    /// It answered with an error that says nothing by itself, UNKNOWN say, but may in comparison: one instance of
    /// many that does so more often than the others is not well.
    Doubtful,
    /// It has no capacity left, and says so. That is no sickness; it should get less.
    Overloaded,
    /// Nothing can be said: the caller gave up, nothing was sent, or the caller's own request stream failed.
    Unknown,
}

/// Judges the end of a call; [`Verdict::of`] is the usual one.
pub type Classify = fn(Result<(), &Status>) -> Verdict;

impl Verdict {
    /// By the side that failed, by the facts of a status, then by its code. Of what is on the caller's own side only a deadline
    /// that passed says something of the endpoint.
    pub fn of(result: Result<(), &Status>) -> Self {
        let Err(status) = result else {
            return Self::Healthy;
        };
        if status.place().side() == Some(Side::Client) && !status.is_waited_for() {
            return Self::Unknown;
        }
        if status.is_overload() || status.pushback().is_some() {
            return Self::Overloaded;
        }
        let ours = status.domain() == Some(reason::DOMAIN);
        if ours && status.reason().is_some_and(|reason| NEUTRAL.contains(&reason)) {
            return Self::Unknown;
        }
        match status.code() {
            Code::Unavailable | Code::Internal | Code::DataLoss | Code::DeadlineExceeded => Self::Failed,
            Code::Unknown | Code::Unimplemented => Self::Doubtful,
            Code::ResourceExhausted => Self::Overloaded,
            Code::Cancelled => Self::Unknown,
            _ => Self::Healthy,
        }
    }
}

impl Status {
    /// True if it is the deadline of this very call that passed, and not one further down that a handler or a request stream
    /// passed on.
    pub(crate) fn is_waited_for(&self) -> bool {
        let is_passed_on = self.source().is_some_and(<dyn Error>::is::<Self>);
        self.reason() == Some(reason::DEADLINE_PASSED)
            && self.domain() == Some(reason::DOMAIN)
            && !is_passed_on
    }
}

/// It stops, it does not know the service, or the message itself is at fault: none of that is a sickness.
const NEUTRAL: &[&str] = &[
    reason::DRAINING,
    reason::CHANNEL_CLOSED,
    reason::CALLER_GONE,
    reason::SERVICE_UNKNOWN,
    reason::METHOD_UNKNOWN,
    reason::CODEC_UNKNOWN,
    reason::MESSAGE_MALFORMED,
    reason::MESSAGE_TOO_LARGE,
    reason::MESSAGE_UNENCODABLE,
];
