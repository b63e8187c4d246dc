//! The task-local carrier of a context.

use std::{
    ops::Deref,
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll},
};

use pin_project_lite::pin_project;
use tokio::task::{JoinHandle, futures::TaskLocalFuture};

use super::Context;
use crate::Status;

tokio::task_local! {
    static CURRENT: Current;
}

/// The context of a future is its own. A stream enters its context once a message, and shares it instead of cloning.
enum Current {
    Owned(Context),
    Shared(Arc<Context>),
}

impl Deref for Current {
    type Target = Context;

    fn deref(&self) -> &Context {
        match self {
            Self::Owned(context) => context,
            Self::Shared(context) => context,
        }
    }
}

pin_project! {
    /// A future that runs in a context: see [`Context::scope`]. It is dropped in there too.
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        future: TaskLocalFuture<Current, F>,
    }
}

impl<F: Future> Scoped<F> {
    /// Takes the context back, once the future is done.
    pub(crate) fn take_context(self: Pin<&mut Self>) -> Option<Context> {
        match self.project().future.take_value()? {
            Current::Owned(context) => Some(context),
            Current::Shared(context) => Some(Arc::unwrap_or_clone(context)),
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

impl<F> std::fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scoped").finish_non_exhaustive()
    }
}

pub(super) fn current() -> Context {
    CURRENT
        .try_with(|current| Context::clone(current))
        .unwrap_or_default()
}

pub(super) fn with_current<R>(f: impl FnOnce(&Context) -> R) -> R {
    if CURRENT.try_with(|_| ()).is_ok() {
        CURRENT.with(|current| f(current))
    } else {
        f(&Context::new())
    }
}

/// The current context as an outbound call takes it on; makes no cancellation token.
pub(crate) fn child_of_current() -> Context {
    CURRENT.try_with(|current| current.child()).unwrap_or_default()
}

pub(crate) fn scope<F: Future>(context: Context, future: F) -> Scoped<F> {
    Scoped {
        future: CURRENT.scope(Current::Owned(context), future),
    }
}

pub(super) fn enter<R>(context: Context, f: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(Current::Owned(context), f)
}

/// Runs code in a context that is shared, which costs no clone of it.
pub(crate) fn enter_shared<R>(context: &Arc<Context>, f: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(Current::Shared(Arc::clone(context)), f)
}

/// Starts a task that carries the current context on, and ends early when the call that it belongs to is given up.
///
/// The task outlives a call that ended well. It answers CANCELLED if the call was given up before it was done.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn spawn<F>(future: F) -> JoinHandle<Result<F::Output, Status>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let context = current();
    let cancellation = context.cancellation().clone();
    tokio::spawn(scope(context, async move {
        let given_up = || Status::cancelled("the call that this task works for was given up");
        cancellation
            .run_until_cancelled(future)
            .await
            .ok_or_else(given_up)
    }))
}
