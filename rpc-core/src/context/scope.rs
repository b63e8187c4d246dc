//! The task-local carrier of a context.

use tokio::task::JoinHandle;

use super::Context;
use crate::Status;

tokio::task_local! {
    static CURRENT: Context;
}

/// A future that runs in a context: see [`Context::scope`].
pub type Scoped<F> = tokio::task::futures::TaskLocalFuture<Context, F>;

pub(super) fn current() -> Context {
    CURRENT.try_with(Context::clone).unwrap_or_default()
}

pub(super) fn with_current<R>(f: impl FnOnce(&Context) -> R) -> R {
    let mut f = Some(f);
    let in_call = CURRENT.try_with(|context| f.take().map(|f| f(context)));
    match (in_call, f) {
        (Ok(Some(result)), _) => result,
        (_, Some(f)) => f(&Context::default()),
        (_, None) => unreachable!("the closure was either run or is still here"),
    }
}

/// The current context as an outbound call takes it on; makes no cancellation token.
pub(crate) fn child_of_current() -> Context {
    CURRENT.try_with(Context::child).unwrap_or_default()
}

pub(super) fn scope<F: Future>(context: Context, future: F) -> Scoped<F> {
    CURRENT.scope(context, future)
}

pub(super) fn enter<R>(context: Context, f: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(context, f)
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
        cancellation.run_until_cancelled(future).await.ok_or_else(given_up)
    }))
}
