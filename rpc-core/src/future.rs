//! What crosses an erased edge: the future of one call.
//!
//! A trait object cannot return a future of its own type, so it returns a box. The type says no more than that, so that what
//! is behind it can change.
//!
//! Keeping small futures in the returned value was tried and rejected: whoever passes such a value on copies all of its
//! room, twice an edge, which costs more than the box.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{BoxFuture, Reply, Status};

/// The future of one call, of a type that is forgotten.
///
/// # Cancellation
/// Dropping it gives the call up.
#[must_use = "futures do nothing unless polled"]
pub struct CallFuture<'a>(BoxFuture<'a, Result<Reply, Status>>);

impl<'a> CallFuture<'a> {
    /// Of a future, which is boxed.
    pub fn new(future: impl Future<Output = Result<Reply, Status>> + Send + 'a) -> Self {
        Self(Box::pin(future))
    }

    /// Of a future that is made in its box. One that borrows much is large, and moving it there would copy all of its room.
    #[inline]
    pub fn made<F: Future<Output = Result<Reply, Status>> + Send + 'a>(make: impl FnOnce() -> F) -> Self {
        Self(boxed(make))
    }

    /// Of a result that is there.
    pub fn ready(result: Result<Reply, Status>) -> Self {
        Self::new(std::future::ready(result))
    }
}

/// Makes a future in its box.
#[inline]
pub(crate) fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    let room = Box::new_uninit();
    Box::into_pin(Box::write(room, make()))
}

impl Future for CallFuture<'_> {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for CallFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<CallFuture<'static>>();
};
