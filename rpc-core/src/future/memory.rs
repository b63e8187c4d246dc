//! Memory for the futures of calls, which each thread keeps for the next one.
//!
//! # How
//! Layouts are rounded up to steps of 256 bytes. A thread has one list of free rooms a step; a room that is given back joins the
//! list of the thread on which that happens. The lists are threaded through the rooms themselves, so that taking and giving back
//! are a few instructions and need no lock. What is larger than 4 KiB, or aligned to more than 16 bytes, goes to the global
//! allocator.
//!
//! # Bounds
//! A thread keeps at most 128 KiB: what some sixty calls at once need. Rooms that come back when it has as much go to the global
//! allocator, and so does everything when the thread ends. A thread that only gives back, and never takes, keeps no more.
//!
//! # Why not the global allocator
//! It has to serve every size and every thread: glibc's takes some 150 instructions for a block of these sizes and to give it
//! back, and more for those above a kilobyte, which go through the part that splits and joins blocks. Here it is some 40. Memory recycled by thread is how other runtimes of asynchronous operations do it too: Boost.Asio
//! keeps the memory of completion handlers so.

#![allow(unsafe_code)]

use std::{
    alloc::{self, Layout},
    cell::Cell,
    ptr::NonNull,
};

/// Rooms are multiples of it.
const STEP: usize = 256;
/// How many sizes of rooms are kept: from one step up.
const SIZES: usize = 16;
/// What all rooms are aligned to, if they are kept.
const ALIGN: usize = 16;
/// How much memory a thread keeps.
const KEEP: usize = 128 * 1024;

/// Memory for one value of a layout. Dropped, it is there for the next one.
pub(super) struct Room {
    start: NonNull<u8>,
    layout: Layout,
}

impl Room {
    /// Memory with nothing in it.
    #[inline]
    pub(super) fn new(layout: Layout) -> Self {
        let start = match Size::of(layout) {
            Some(size) => take(size),
            None if layout.size() == 0 => layout.dangling_ptr(),
            None => allocate(layout),
        };
        Self { start, layout }
    }

    /// Takes up again what was forgotten.
    ///
    /// # Safety
    /// `start` is that of a room that was made for this layout and forgotten, and this is done once.
    #[inline]
    pub(super) unsafe fn of(start: NonNull<u8>, layout: Layout) -> Self {
        Self { start, layout }
    }

    /// Where it is.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }
}

impl Drop for Room {
    #[inline]
    fn drop(&mut self) {
        match Size::of(self.layout) {
            // SAFETY: it came from `take` of the same size, which follows from the layout alone.
            Some(size) => unsafe { give_back(self.start, size) },
            None if self.layout.size() == 0 => {}
            // SAFETY: it came from `allocate` with this layout.
            None => unsafe { alloc::dealloc(self.start.as_ptr(), self.layout) },
        }
    }
}

/// The number of a size whose rooms are kept.
#[derive(Debug, Clone, Copy)]
struct Size(usize);

impl Size {
    /// Of the rooms for a layout, unless its rooms are not kept.
    #[inline]
    fn of(layout: Layout) -> Option<Self> {
        let number = layout.size().wrapping_sub(1) / STEP;
        (number < SIZES && layout.align() <= ALIGN).then_some(Self(number))
    }

    #[inline]
    fn bytes(self) -> usize {
        (self.0 + 1) * STEP
    }

    fn layout(self) -> Layout {
        // SAFETY: the alignment is a power of two, and sizes are small.
        unsafe { Layout::from_size_align_unchecked(self.bytes(), ALIGN) }
    }
}

/// A free room: what stands at its start.
struct Free {
    next: Option<NonNull<Free>>,
}

/// The free rooms of a thread.
struct Kept {
    /// The first of each size.
    first: [Cell<Option<NonNull<Free>>>; SIZES],
    bytes: Cell<usize>,
}

thread_local! {
    static KEPT: Kept = const { Kept { first: [const { Cell::new(None) }; SIZES], bytes: Cell::new(0) } };
}

impl Kept {
    #[inline]
    fn pop(&self, size: Size) -> Option<NonNull<u8>> {
        let first = self.first[size.0].get()?;
        // SAFETY: what is in a list is free, is a `Free`, and is known to this thread alone.
        self.first[size.0].set(unsafe { first.read() }.next);
        self.bytes.set(self.bytes.get() - size.bytes());
        Some(first.cast())
    }

    /// False if there is enough already.
    ///
    /// # Safety
    /// The room is one of that size, and from here on nobody else's.
    #[inline]
    unsafe fn push(&self, start: NonNull<u8>, size: Size) -> bool {
        let bytes = self.bytes.get() + size.bytes();
        if bytes > KEEP {
            return false;
        }
        let first: NonNull<Free> = start.cast();
        let next = self.first[size.0].get();
        // SAFETY: the room is large enough, aligned for a pointer, and ours.
        unsafe { first.write(Free { next }) };
        self.first[size.0].set(Some(first));
        self.bytes.set(bytes);
        true
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for number in 0..SIZES {
            let size = Size(number);
            while let Some(start) = self.pop(size) {
                // SAFETY: all rooms of this size came from the allocator with its layout.
                unsafe { alloc::dealloc(start.as_ptr(), size.layout()) };
            }
        }
    }
}

#[inline]
fn take(size: Size) -> NonNull<u8> {
    // A thread that is ending keeps nothing any more.
    let kept = KEPT.try_with(|kept| kept.pop(size));
    kept.ok().flatten().unwrap_or_else(|| allocate(size.layout()))
}

/// # Safety
/// The room came from [`take`] with this size, and is nobody's any more.
#[inline]
unsafe fn give_back(start: NonNull<u8>, size: Size) {
    // SAFETY: as the caller says.
    let is_kept = KEPT.try_with(|kept| unsafe { kept.push(start, size) });
    if !is_kept.unwrap_or(false) {
        // SAFETY: rooms of this size come from the allocator with its layout.
        unsafe { alloc::dealloc(start.as_ptr(), size.layout()) };
    }
}

#[cold]
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no caller passes a layout without a size.
    let start = unsafe { alloc::alloc(layout) };
    NonNull::new(start).unwrap_or_else(|| alloc::handle_alloc_error(layout))
}

/// How much memory this thread keeps.
#[cfg(test)]
pub(super) fn kept_bytes() -> usize {
    KEPT.with(|kept| kept.bytes.get())
}
