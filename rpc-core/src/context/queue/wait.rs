//! One call that waits.

use std::{
    ptr,
    task::{Context as Poller, Poll, Waker},
};

use super::{shared::Shared, slots::Moment};

/// What a call waits for, and where it runs.
pub(super) trait Due {
    /// When it is to be woken.
    fn moment(&self) -> Moment;

    /// True once that moment is there.
    fn has_passed(&self) -> bool;

    /// Which shard it takes a slot of.
    fn shard(&self) -> usize;

    /// [Arms](Shared::arm) the timer, and starts the task if there is none.
    fn arm(&self, moment: Moment);
}

/// A place in a queue, taken when it is first polled. It has to be [left](Self::leave).
#[derive(Debug, Default)]
pub(crate) struct Wait(Option<Place>);

#[derive(Debug)]
struct Place {
    shard: usize,
    slot: u32,
    /// Whom the slot wakes.
    task: Task,
    /// How often calls had been woken when it was put there.
    rounds: u64,
}

/// Tells wakers apart. The slot holds a waker of that task, so that no other task can come to be at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Task(usize, usize);

impl Task {
    fn of(waker: &Waker) -> Self {
        Self(waker.data().addr(), ptr::from_ref(waker.vtable()).addr())
    }
}

impl Wait {
    /// Ready once what it waits for has passed.
    pub(super) fn poll(&mut self, shared: &Shared, due: &impl Due, cx: &mut Poller<'_>) -> Poll<()> {
        let rounds = shared.rounds();
        let task = Task::of(cx.waker());
        let Some(place) = &mut self.0 else {
            let at = due.moment();
            let own = due.shard();
            self.0 = Some(Place {
                shard: own,
                slot: shared.shards[own].take(at, cx.waker().clone()),
                task,
                rounds,
            });
            due.arm(at);
            return Poll::Pending;
        };
        if place.rounds == rounds && place.task == task {
            return Poll::Pending;
        }
        if place.rounds != rounds && due.has_passed() {
            return Poll::Ready(());
        }
        let at = due.moment();
        shared.shards[place.shard].set(place.slot, at, cx.waker().clone());
        (place.task, place.rounds) = (task, rounds);
        due.arm(at);
        Poll::Pending
    }

    /// Leaves the queue.
    pub(super) fn leave(&mut self, shared: &Shared) {
        if let Some(place) = self.0.take() {
            shared.shards[place.shard].give_back(place.slot);
        }
    }
}
