//! One call that waits, and the future that it bounds.

use std::{
    pin::Pin,
    ptr,
    task::{Context as Poller, Poll, Waker},
};

use pin_project_lite::pin_project;

use super::{DeadlineQueue, own_shard};
use crate::{Deadline, Status, context::expiry::Expiry};

/// A place in a queue, taken when it is first polled. It has to be [left](Self::leave).
#[derive(Debug, Default)]
pub(in crate::context) struct Wait(Option<Place>);

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
    /// Ready once the deadline passed.
    pub(in crate::context) fn poll(
        &mut self,
        queue: &DeadlineQueue,
        deadline: Deadline,
        cx: &mut Poller<'_>,
    ) -> Poll<()> {
        let timer = queue.shared();
        let rounds = timer.rounds();
        let task = Task::of(cx.waker());
        let Some(place) = &mut self.0 else {
            let at = timer.moment(deadline.instant());
            let shard = own_shard(timer.shards.len());
            self.0 = Some(Place {
                shard,
                slot: timer.shards[shard].take(at, cx.waker().clone()),
                task,
                rounds,
            });
            timer.arm(at);
            return Poll::Pending;
        };
        if place.rounds == rounds && place.task == task {
            return Poll::Pending;
        }
        if place.rounds != rounds && deadline.has_passed() {
            return Poll::Ready(());
        }
        let at = timer.moment(deadline.instant());
        timer.shards[place.shard].set(place.slot, at, cx.waker().clone());
        (place.task, place.rounds) = (task, rounds);
        timer.arm(at);
        Poll::Pending
    }

    /// Leaves the queue.
    pub(in crate::context) fn leave(&mut self, queue: &DeadlineQueue) {
        if let Some(place) = self.0.take() {
            queue.shared().shards[place.shard].give_back(place.slot);
        }
    }
}

pin_project! {
    /// A future that a deadline in a queue bounds: see [`DeadlineQueue::within`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Within<'q, F> {
        #[pin]
        future: F,
        queue: &'q DeadlineQueue,
        deadline: Deadline,
        wait: Wait,
        expired: bool,
    }

    impl<F> PinnedDrop for Within<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.wait.leave(this.queue);
        }
    }
}

impl<'q, F> Within<'q, F> {
    pub(super) fn new(queue: &'q DeadlineQueue, deadline: Deadline, future: F) -> Self {
        Self {
            future,
            queue,
            deadline,
            wait: Wait::default(),
            expired: false,
        }
    }

    /// True if it was the deadline that ended it, and not the future.
    pub fn has_expired(&self) -> bool {
        self.expired
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Within<'_, F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(result) = this.future.poll(cx) {
            return Poll::Ready(result);
        }
        if this.wait.poll(this.queue, *this.deadline, cx).is_pending() {
            return Poll::Pending;
        }
        *this.expired = true;
        Poll::Ready(Err(Expiry::status()))
    }
}
