//! What crosses an erased edge: the future of one call.
//!
//! A trait object cannot return a future of its own type, so it returns one behind a pointer. The type says no more than
//! that, so that what is behind it can change.
//!
//! # Memory
//! Such futures are of a few sizes, from some hundred bytes to more than a kilobyte, and live as long as a call. Each thread
//! keeps the memory of those that ended for those that come ([`memory`]), so that a call in a steady stream of calls allocates
//! nothing for them.
//!
//! Keeping small futures in the returned value was tried and rejected: whoever passes such a value on copies all of its
//! room, twice an edge, which costs more than the allocation.

mod memory;
mod placed;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    pin::Pin,
    ptr::NonNull,
    task::{Context, Poll},
};

pub(crate) use self::placed::Placed;
use crate::{Reply, Status};

type Answer<'a> = dyn Future<Output = Result<Reply, Status>> + Send + 'a;

/// The future of one call, of a type that is forgotten.
///
/// # Cancellation
/// Dropping it gives the call up.
#[must_use = "futures do nothing unless polled"]
pub struct CallFuture<'a>(Placed<Answer<'a>>);

impl<'a> CallFuture<'a> {
    /// Of a future.
    pub fn new(future: impl Future<Output = Result<Reply, Status>> + Send + 'a) -> Self {
        Self::made(|| future)
    }

    /// Of a future that is made where it stays. One that borrows much is large, and moving it there would copy all of its
    /// room.
    #[inline]
    #[allow(unsafe_code)]
    pub fn made<F: Future<Output = Result<Reply, Status>> + Send + 'a>(make: impl FnOnce() -> F) -> Self {
        let future: NonNull<Answer<'a>> = Placed::new(make).into_raw();
        // SAFETY: it is the same value, whose layout the pointer knows.
        Self(unsafe { Placed::from_raw(future) })
    }

    /// Of a result that is there.
    pub fn ready(result: Result<Reply, Status>) -> Self {
        Self::new(std::future::ready(result))
    }
}

impl Future for CallFuture<'_> {
    type Output = Result<Reply, Status>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.pinned().poll(cx)
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
    assert!(size_of::<CallFuture<'static>>() == 2 * size_of::<usize>());
};
