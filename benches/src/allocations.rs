//! A global allocator that counts, per thread, so that counting is not what is measured.

#![allow(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; this one adds two counters to the system's"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// More threads than any run has; what comes after shares the last slot and still counts.
const SLOTS: usize = 1024;

#[repr(align(128))]
struct Slot {
    blocks: AtomicU64,
    /// Bytes asked for minus bytes given back, by this thread: a block that one thread makes and another drops leaves one
    /// of them below zero, and only the sum means something.
    bytes: AtomicU64,
}

static SLOT_OF: [Slot; SLOTS] = [const {
    Slot {
        blocks: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    }
}; SLOTS];
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static INDEX: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The system's allocator, counted.
pub(crate) struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many blocks all threads have asked for so far; growing one counts.
pub(crate) fn count() -> u64 {
    sum(|slot| &slot.blocks)
}

/// How many bytes are in use now.
pub(crate) fn live_bytes() -> u64 {
    sum(|slot| &slot.bytes)
}

fn sum(of: fn(&Slot) -> &AtomicU64) -> u64 {
    SLOT_OF
        .iter()
        .map(|slot| of(slot).load(Ordering::Relaxed))
        .fold(0, u64::wrapping_add)
}

fn add(blocks: u64, bytes: u64) {
    let index = INDEX.try_with(|index| {
        if index.get() == usize::MAX {
            index.set(NEXT.fetch_add(1, Ordering::Relaxed).min(SLOTS - 1));
        }
        index.get()
    });
    // A thread that is ending counts with those that came last.
    let index = index.unwrap_or(SLOTS - 1);
    let slot = &SLOT_OF[index];
    if index == SLOTS - 1 {
        slot.blocks.fetch_add(blocks, Ordering::Relaxed);
        slot.bytes.fetch_add(bytes, Ordering::Relaxed);
    } else {
        // Nobody else writes there.
        let (was_blocks, was_bytes) = (
            slot.blocks.load(Ordering::Relaxed),
            slot.bytes.load(Ordering::Relaxed),
        );
        slot.blocks
            .store(was_blocks.wrapping_add(blocks), Ordering::Relaxed);
        slot.bytes.store(was_bytes.wrapping_add(bytes), Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(1, layout.size() as u64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(1, layout.size() as u64);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(1, (size as u64).wrapping_sub(layout.size() as u64));
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(0, 0_u64.wrapping_sub(layout.size() as u64));
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_bytes() {
        // Other tests run beside this one: far more than they have at once, and given back by another thread.
        const SIZE: usize = 1 << 30;
        let (blocks, bytes) = (count(), live_bytes());
        let block = Vec::<u8>::with_capacity(SIZE);
        assert!(count() > blocks);
        assert!(live_bytes().wrapping_sub(bytes) > SIZE as u64 / 2);
        std::thread::spawn(move || drop(block)).join().unwrap();
        let left = live_bytes().wrapping_sub(bytes).cast_signed();
        assert!(left.unsigned_abs() < SIZE as u64 / 2, "{left}");
    }
}
