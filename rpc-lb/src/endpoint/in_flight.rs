//! The guard of a call at an endpoint.

use std::{ops::Deref, sync::Arc, time::Duration};

use rpc_core::{context::Deadline, status::Verdict};
use tokio::time::Instant;

use super::Endpoint;

/// How a call at an endpoint ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Done {
    /// What that says of the endpoint.
    pub verdict: Verdict,
    /// How long it took; `None` if nobody measured it.
    pub latency: Option<Duration>,
    /// When it ended; `None` if nobody looked at the clock.
    pub now: Option<Instant>,
}

/// Counts a call as in flight, and reports how it ended exactly once, also if it is dropped: it then counts as given up,
/// which says nothing of the endpoint; unless its [deadline](Self::with_deadline) has passed, which is a failure, or its
/// [head](Self::head) is there: its reader has had enough, and the endpoint did well.
///
/// `E` is `&Endpoint`, or `Arc<Endpoint>` where the guard outlives the call, as a stream's does.
#[derive(Debug)]
#[must_use = "the call is in flight as long as this lives"]
pub struct InFlight<E: Deref<Target = Endpoint>> {
    endpoint: Option<E>,
    /// Until its latency is known, if that matters.
    started: Option<Instant>,
    /// It matters when it ends.
    is_timed: bool,
    deadline: Option<Deadline>,
    /// The head of a stream is there, whose end is yet to come.
    has_head: bool,
}

impl<E: Deref<Target = Endpoint>> InFlight<E> {
    /// A call begins. `started` is `None` where its latency does not matter.
    #[inline]
    pub fn begin(endpoint: E, started: Option<Instant>) -> Self {
        endpoint.stats().begin();
        Self {
            endpoint: Some(endpoint),
            started,
            is_timed: started.is_some(),
            deadline: None,
            has_head: false,
        }
    }

    /// The guard of a call that was counted when it began, and whose guard was something smaller until now.
    #[inline]
    pub(crate) fn resume(endpoint: E, started: Option<Instant>, deadline: Option<Deadline>) -> Self {
        Self {
            endpoint: Some(endpoint),
            started,
            is_timed: started.is_some(),
            deadline,
            has_head: false,
        }
    }

    /// How long it takes is its caller's doing, and says nothing of the endpoint; how it ends does.
    #[inline]
    pub(crate) fn without_latency(mut self) -> Self {
        self.started = None;
        self
    }

    /// Until when it is waited for. Dropped after that, the call was not given up: it did not answer in time.
    #[inline]
    pub fn with_deadline(mut self, deadline: Option<Deadline>) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same guard, for who outlives the borrow. `endpoint` is the one that it guards.
    pub fn shared_by(mut self, endpoint: Arc<Endpoint>) -> InFlight<Arc<Endpoint>> {
        InFlight {
            endpoint: self.endpoint.take().map(|_| endpoint),
            started: self.started,
            is_timed: self.is_timed,
            deadline: self.deadline,
            has_head: self.has_head,
        }
    }

    /// When it began, if its latency matters.
    pub fn started(&self) -> Option<Instant> {
        self.started
    }

    /// The head of a stream is there, and the stream goes on: that is the latency of the call. Its end says how it went.
    /// `now` is asked for the time only if it matters. What is said again is passed over.
    #[inline]
    pub fn head(&mut self, now: impl FnOnce() -> Instant) {
        if std::mem::replace(&mut self.has_head, true) {
            return;
        }
        match (&self.endpoint, self.started.take()) {
            (Some(endpoint), Some(started)) => {
                let now = now();
                endpoint.stats().head(now.saturating_duration_since(started), now);
            }
            (Some(endpoint), None) if self.is_timed => endpoint.stats().answered_untimed(now()),
            _ => {}
        }
    }

    /// The call has ended. `now` is asked for the time only if it matters.
    #[inline]
    pub fn end(mut self, verdict: Verdict, now: impl FnOnce() -> Instant) {
        let now = self.is_timed.then(now);
        if let Some(endpoint) = self.endpoint.take() {
            if let (Verdict::Healthy, None, false, Some(now)) = (verdict, self.started, self.has_head, now) {
                endpoint.stats().answered_untimed(now);
            }
            let latency = now
                .zip(self.started)
                .map(|(now, started)| now.saturating_duration_since(started));
            let failed = endpoint.stats().end(&Done {
                verdict,
                latency,
                now,
            });
            if failed > 0 {
                endpoint.failed(failed);
            }
        }
    }
}

impl<E: Deref<Target = Endpoint>> Drop for InFlight<E> {
    fn drop(&mut self) {
        let Some(endpoint) = self.endpoint.take() else {
            return;
        };
        let needs_now = self.deadline.is_some() || (self.is_timed && self.has_head);
        let now = needs_now.then(Instant::now);
        let is_late = now
            .zip(self.deadline)
            .is_some_and(|(now, deadline)| deadline.instant() <= now);
        let verdict = if is_late {
            Verdict::Failed
        } else if self.has_head {
            Verdict::Healthy
        } else {
            Verdict::Unknown
        };
        let failed = endpoint.stats().end(&Done {
            verdict,
            latency: now
                .zip(self.started)
                .map(|(now, started)| now.saturating_duration_since(started)),
            // As `end` has it: who is not timed when all goes well says nothing of the last seconds either.
            now: now.filter(|_| self.is_timed),
        });
        if failed > 0 {
            endpoint.failed(failed);
        }
    }
}
