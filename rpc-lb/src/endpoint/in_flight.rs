//! The guard of a call at an endpoint.

use std::{ops::Deref, time::Duration};

use rpc_core::status::Verdict;
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
/// which says nothing of the endpoint.
///
/// `E` is `&Endpoint`, or `Arc<Endpoint>` where the guard outlives the call, as a stream's does.
#[derive(Debug)]
#[must_use = "the call is in flight as long as this lives"]
pub struct InFlight<E: Deref<Target = Endpoint>> {
    endpoint: Option<E>,
    started: Option<Instant>,
}

impl<E: Deref<Target = Endpoint>> InFlight<E> {
    /// A call begins. `started` is `None` where its latency does not matter.
    #[inline]
    pub fn begin(endpoint: E, started: Option<Instant>) -> Self {
        endpoint.stats().begin(started);
        Self {
            endpoint: Some(endpoint),
            started,
        }
    }

    /// When it began, if its latency matters.
    pub fn started(&self) -> Option<Instant> {
        self.started
    }

    /// The call has ended. `now` is asked for the time only if it matters.
    #[inline]
    pub fn end(mut self, verdict: Verdict, now: impl FnOnce() -> Instant) {
        let now = self.started.is_some().then(now);
        if let Some(endpoint) = self.endpoint.take() {
            let latency = now
                .zip(self.started)
                .map(|(now, started)| now.saturating_duration_since(started));
            endpoint.stats().end(&Done {
                verdict,
                latency,
                now,
            });
        }
    }
}

impl<E: Deref<Target = Endpoint>> Drop for InFlight<E> {
    fn drop(&mut self) {
        if let Some(endpoint) = self.endpoint.take() {
            endpoint.stats().end(&Done {
                verdict: Verdict::Unknown,
                latency: None,
                now: None,
            });
        }
    }
}
