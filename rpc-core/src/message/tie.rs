//! What ties a request stream to its call, where both are in one process.
//!
//! Over a wire a call that ends early is a reset: the handler reads an error, never a clean end, and a request stream
//! that fails ends its call with that failure. In process the handler reads the caller's very stream, maybe in a task of
//! its own, so it must be told both.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context as Poller, Poll},
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::{Status, context::Cancellation, status::reason};

/// Shared by the caller and by the request stream that the handler reads.
#[derive(Clone)]
pub(crate) struct Tie(Arc<Inner>);

struct Inner {
    /// Nobody waits for the rest of the request stream any more.
    over: CancellationToken,
    /// Why the caller's own stream ended the call.
    failure: OnceLock<Status>,
}

impl Tie {
    /// Of a call that ends at the latest when it is given up.
    pub(crate) fn new(cancellation: &Cancellation) -> Self {
        Self(Arc::new(Inner {
            over: cancellation.token().child_token(),
            failure: OnceLock::new(),
        }))
    }

    /// The call is over: what is left of the request stream is not read any more.
    pub(crate) fn end(&self) {
        self.0.over.cancel();
    }

    /// The request stream failed, and the call with it.
    pub(crate) fn fail(&self, status: Status) {
        // Only the first failure counts; there is no second one, as a stream ends with it.
        let _ = self.0.failure.set(status);
        self.end();
    }

    /// What the request stream ended the call with.
    pub(crate) fn failure(&self) -> Option<Status> {
        self.0.failure.get().cloned()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.over.is_cancelled()
    }

    /// Runs the call, until the request stream ends it.
    pub(crate) async fn run<T>(&self, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let result = self.0.over.run_until_cancelled(call).await;
        match self.failure() {
            Some(failure) => Err(failure),
            None => result.unwrap_or_else(|| Err(caller_gone())),
        }
    }

    pub(crate) fn wait(&self) -> Wait {
        Wait::new(&self.0.over)
    }
}

impl fmt::Debug for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tie").field("is_over", &self.is_over()).finish()
    }
}

/// A wait for a token, to be polled.
pub(crate) struct Wait(Pin<Box<WaitForCancellationFutureOwned>>);

impl Wait {
    pub(crate) fn new(token: &CancellationToken) -> Self {
        Self(Box::pin(token.clone().cancelled_owned()))
    }

    pub(crate) fn poll(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// What a handler reads that reads on after its call was given up.
pub(crate) fn caller_gone() -> Status {
    Status::cancelled("the call that this stream belongs to is over")
        .with_reason(reason::CALLER_GONE)
        .with_domain(reason::DOMAIN)
}
