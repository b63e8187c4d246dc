//! Slots of calls that wait.

use std::{sync::PoisonError, task::Waker};

use super::sync::{Mutex, MutexGuard};

/// When something is due, as a number that an atomic can hold. `NEVER` is after all of them.
pub(super) type Moment = u64;

pub(super) const NEVER: Moment = u64::MAX;

/// Above so many slots their memory is given back when none is taken.
const KEEP: usize = 1024;

/// Slots behind one lock, on cache lines of their own.
#[derive(Default)]
#[repr(align(128))]
pub(super) struct Shard(Mutex<Slots>);

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    /// The first of the free ones.
    free: Option<u32>,
    taken: usize,
}

enum Slot {
    /// Free, and the next one that is.
    Free(Option<u32>),
    Taken {
        /// `NEVER` once its call was woken.
        at: Moment,
        /// `None` if its call was woken and has not been polled since.
        waker: Option<Waker>,
    },
}

impl Shard {
    /// Takes a slot, until it is [given back](Self::give_back).
    pub(super) fn take(&self, at: Moment, waker: Waker) -> u32 {
        let waker = Some(waker);
        let mut slots = self.lock();
        slots.taken += 1;
        let Some(free) = slots.free else {
            slots.all.push(Slot::Taken { at, waker });
            return slots.all.len() as u32 - 1;
        };
        let slot = &mut slots.all[free as usize];
        let taken = std::mem::replace(slot, Slot::Taken { at, waker });
        if let Slot::Free(next) = taken {
            slots.free = next;
        }
        free
    }

    /// Sets whom to wake for a slot, and when.
    pub(super) fn set(&self, slot: u32, at: Moment, waker: Waker) {
        let before = std::mem::replace(
            &mut self.lock().all[slot as usize],
            Slot::Taken {
                at,
                waker: Some(waker),
            },
        );
        // A waker runs code of others when it is dropped: not under the lock.
        drop(before);
    }

    pub(super) fn give_back(&self, slot: u32) {
        let mut slots = self.lock();
        let free = Slot::Free(slots.free);
        let before = std::mem::replace(&mut slots.all[slot as usize], free);
        slots.free = Some(slot);
        slots.taken -= 1;
        let mut empty = Vec::new();
        if slots.taken == 0 && slots.all.len() > KEEP {
            slots.free = None;
            empty = std::mem::take(&mut slots.all);
        }
        drop(slots);
        drop((before, empty));
    }

    /// Takes the wakers of what is due by `now`; tells when the next is due.
    pub(super) fn take_due(&self, now: Moment, due: &mut Vec<Waker>) -> Moment {
        let mut next = NEVER;
        for slot in &mut self.lock().all {
            let Slot::Taken { at, waker } = slot else { continue };
            if *at > now {
                next = next.min(*at);
            } else if let Some(waker) = waker.take() {
                due.push(waker);
                *at = NEVER;
            }
        }
        next
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.lock().taken
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        // Nothing that can panic happens while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
