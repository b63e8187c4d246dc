//! Where work runs.
//!
//! A server asks an executor to run handlers that did not finish at their first poll; isolation puts other executors
//! behind the same trait: a named pool, or one inside the runtime of a test whose clock stands still.

use crate::BoxFuture;

/// Runs futures to their end.
///
/// The future that is handed over never panics out: dispatch has caught that.
pub trait Executor: Send + Sync + 'static {
    /// Takes the future and polls it until it is done, or drops it when the executor ends. A call that is dropped has failed:
    /// over the framed protocol with UNAVAILABLE, over gRPC its stream is reset.
    fn execute(&self, task: BoxFuture<'static, ()>);
}

/// Runs on the tokio runtime of the caller.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioExecutor;

impl Executor for TokioExecutor {
    fn execute(&self, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }
}
