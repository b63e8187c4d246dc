//! A value that stays where it was made.

#![allow(unsafe_code)]

use std::{
    alloc::Layout,
    fmt,
    marker::PhantomData,
    pin::Pin,
    ptr::{self, NonNull},
    task::{Context, Poll},
};

use super::memory::Room;

/// A value that stays where it was made until it is dropped there: a pinned box, in [memory](super) that each thread keeps for
/// the next one.
pub(crate) struct Placed<T: ?Sized> {
    /// Lives in a [`Room`] of its layout, which this owns.
    value: NonNull<T>,
    owned: PhantomData<T>,
}

// SAFETY: it owns the value, and hands out nothing else; memory may go back on any thread.
unsafe impl<T: ?Sized + Send> Send for Placed<T> {}

// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for Placed<T> {}

/// It may be moved; the value is not moved with it.
impl<T: ?Sized> Unpin for Placed<T> {}

impl<T> Placed<T> {
    /// Makes a value where it stays. One that is large would be copied if it were moved there.
    #[inline]
    pub(crate) fn new(make: impl FnOnce() -> T) -> Self {
        let room = Room::new(Layout::new::<T>());
        let value: NonNull<T> = room.start().cast();
        // SAFETY: the room has the layout of `T`, and nobody else knows it. If `make` panics, the room goes back.
        unsafe { value.write(make()) };
        std::mem::forget(room);
        Self {
            value,
            owned: PhantomData,
        }
    }
}

impl<T: ?Sized> Placed<T> {
    /// The value, to change.
    #[inline]
    pub(crate) fn pinned(&mut self) -> Pin<&mut T> {
        // SAFETY: the value is there until this is dropped, and nobody else has a reference to it.
        let value = unsafe { self.value.as_mut() };
        // SAFETY: it stays where it was made until it is dropped there.
        unsafe { Pin::new_unchecked(value) }
    }

    /// Where it is.
    #[cfg(test)]
    pub(crate) fn start(&self) -> usize {
        self.value.as_ptr().cast::<u8>().addr()
    }

    /// What it points to, which is not dropped any more.
    #[inline]
    pub(super) fn into_raw(self) -> NonNull<T> {
        let value = self.value;
        std::mem::forget(self);
        value
    }

    /// Takes up again what was let go, perhaps as something less sized.
    ///
    /// # Safety
    /// It came from [`into_raw`](Self::into_raw), and this is done once.
    #[inline]
    pub(super) unsafe fn from_raw(value: NonNull<T>) -> Self {
        Self {
            value,
            owned: PhantomData,
        }
    }
}

impl<T: ?Sized> Drop for Placed<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the value is there, and was made in a room of its layout. The room goes back after the value was dropped,
        // even if that panics.
        unsafe {
            let layout = Layout::for_value(self.value.as_ref());
            let _room = Room::of(self.value.cast(), layout);
            ptr::drop_in_place(self.value.as_ptr());
        }
    }
}

impl<F: Future + ?Sized> Future for Placed<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.get_mut().pinned().poll(cx)
    }
}

impl<T: ?Sized> fmt::Debug for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed").finish_non_exhaustive()
    }
}
