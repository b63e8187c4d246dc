//! For callers without a runtime.
//!
//! A [`Blocking`] owns a small runtime: one thread that drives connections and timers. The caller's thread polls its own
//! call and sleeps between wake-ups, so a call costs one wake-up and no hand-over to another thread, and it makes the call
//! in the context that the thread is in.
//!
//! tokio's own `block_on` was rejected: it panics where it must not be used, inside of async code, and a library cannot
//! ask beforehand. Ours looks first and fails with a status. Owning the runtime from the thread that drives it, rather than
//! from the handle, is what makes the handle safe to drop anywhere: dropping a runtime inside of async code panics too.

mod park;
mod stream;

use std::{fmt, sync::Arc, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

use self::park::{is_async, park_on};
pub use self::stream::{BlockingSender, Messages};
use crate::{BuildError, Response, Status, Streaming, status::reason};

/// Runs calls for threads that have no runtime. Clones share it; the last one to be dropped, anywhere, ends it.
///
/// ```
/// use rpc_core::blocking::Blocking;
///
/// let blocking = Blocking::new()?;
/// let answer = blocking.run(async { 42 })?;
/// assert_eq!(answer, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Connections and background work of a client belong to the runtime that it was built in: build it inside of
/// [`run`](Self::run) or [`enter`](Self::enter).
#[derive(Clone)]
pub struct Blocking(Arc<Inner>);

struct Inner {
    handle: Handle,
    /// Dropped, it ends the thread that drives the runtime.
    _stop: oneshot::Sender<()>,
}

impl Blocking {
    /// Starts the thread that drives connections and timers.
    ///
    /// # Errors
    /// If the system gives no thread or no event queue.
    pub fn new() -> Result<Self, BuildError> {
        let refused = |error: std::io::Error| {
            BuildError::new("blocking", "the system refused the thread that it needs").with_source(error)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(refused)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let drive = move || {
            // Nothing is ever sent: it ends when the other side is gone.
            let _ = runtime.block_on(stopped);
            // What blocks in there must not keep the thread from ending.
            runtime.shutdown_background();
        };
        thread::Builder::new()
            .name("rpc-blocking".to_owned())
            .spawn(drive)
            .map_err(refused)?;
        Ok(Self(Arc::new(Inner { handle, _stop: stop })))
    }

    /// Runs a future to its end on this thread, which sleeps while there is nothing to do.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION` with reason `BLOCKING_IN_ASYNC` inside of async code, where sleeping would hold up other work,
    /// possibly the very work that is waited for. There, use the stub that is not blocking, or `spawn_blocking`.
    pub fn run<F: Future>(&self, future: F) -> Result<F::Output, Status> {
        self.run_with(|| future)
    }

    /// Runs synchronous code with the runtime at hand, so that it may build clients and start tasks.
    pub fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        let _entered = self.0.handle.enter();
        f()
    }

    /// Makes a call: what a line of a generated blocking stub calls.
    ///
    /// # Errors
    /// The call's own, and that of [`run`](Self::run).
    pub fn call<T, E, F>(&self, start: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        E: From<Status>,
    {
        self.run_with(start)?
    }

    /// The same for a call that answers with a stream.
    ///
    /// # Errors
    /// As of [`call`](Self::call).
    pub fn call_stream<T, E, F>(&self, start: impl FnOnce() -> F) -> Result<Messages<T>, E>
    where
        F: Future<Output = Result<Streaming<T>, E>>,
        E: From<Status>,
    {
        self.call(start).map(|stream| Messages::new(stream, self))
    }

    /// The same for a call that answers with a stream inside of a response.
    ///
    /// # Errors
    /// As of [`call`](Self::call).
    pub fn call_stream_response<T, E, F>(&self, start: impl FnOnce() -> F) -> Result<Response<Messages<T>>, E>
    where
        F: Future<Output = Result<Response<Streaming<T>>, E>>,
        E: From<Status>,
    {
        self.call(start)
            .map(|response| response.map(|stream| Messages::new(stream, self)))
    }

    /// A stream to send and the handle that feeds it from a thread. The handle waits while `capacity` messages are on
    /// their way.
    ///
    /// # Panics
    /// If `capacity` is 0.
    pub fn channel<T: Send + 'static>(&self, capacity: usize) -> (BlockingSender<T>, Streaming<T>) {
        let (sender, stream) = Streaming::channel(capacity);
        (
            BlockingSender {
                sender,
                blocking: self.clone(),
            },
            stream,
        )
    }

    fn run_with<F: Future>(&self, start: impl FnOnce() -> F) -> Result<F::Output, Status> {
        if is_async() {
            return Err(Status::failed_precondition(
                "a blocking call inside of async code would hold up other work: use the async stub, or `spawn_blocking`",
            )
            .with_reason(reason::BLOCKING_IN_ASYNC)
            .with_domain(reason::DOMAIN));
        }
        Ok(self.enter(|| park_on(start())))
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocking")
    }
}
