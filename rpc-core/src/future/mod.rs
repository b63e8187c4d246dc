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
#[cfg(test)]
mod tests;

use std::{
    alloc::Layout,
    fmt,
    marker::PhantomData,
    pin::Pin,
    ptr::{self, NonNull},
    task::{Context, Poll},
};

use self::memory::Room;
use crate::{Reply, Status};

type Answer<'a> = dyn Future<Output = Result<Reply, Status>> + Send + 'a;

/// The future of one call, of a type that is forgotten.
///
/// # Cancellation
/// Dropping it gives the call up.
#[must_use = "futures do nothing unless polled"]
pub struct CallFuture<'a> {
    /// Lives in a [`Room`] of its layout, which this owns.
    future: NonNull<Answer<'a>>,
    owned: PhantomData<Box<Answer<'a>>>,
}

#[allow(unsafe_code)]
// SAFETY: it owns the future, which is `Send`, and hands out nothing else; memory may go back on any thread.
unsafe impl Send for CallFuture<'_> {}

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
        let room = Room::new(Layout::new::<F>());
        let future: NonNull<F> = room.start().cast();
        // SAFETY: the room has the layout of `F`, and nobody else knows it. If `make` panics, the room goes back.
        unsafe { future.write(make()) };
        std::mem::forget(room);
        Self {
            future,
            owned: PhantomData,
        }
    }

    /// Of a result that is there.
    pub fn ready(result: Result<Reply, Status>) -> Self {
        Self::new(std::future::ready(result))
    }
}

impl Future for CallFuture<'_> {
    type Output = Result<Reply, Status>;

    #[inline]
    #[allow(unsafe_code)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the future is there until this is dropped, and nobody else has a reference to it.
        let future = unsafe { self.future.as_mut() };
        // SAFETY: it stays where it was made until it is dropped there.
        unsafe { Pin::new_unchecked(future) }.poll(cx)
    }
}

impl Drop for CallFuture<'_> {
    #[inline]
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the future is there, and was made in a room of its layout. The room goes back after the future was dropped,
        // even if that panics.
        unsafe {
            let layout = Layout::for_value(self.future.as_ref());
            let _room = Room::of(self.future.cast(), layout);
            ptr::drop_in_place(self.future.as_ptr());
        }
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
