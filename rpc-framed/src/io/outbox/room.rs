//! Those who wait for room.
//!
//! They are woken together, in the order in which they came, and each looks whether there still is room. Whoever comes between that
//! and their turn waits behind them: callers that call again once they are answered would else take all of it each time. But they
//! do so only until the task's next turn, as there may be some that nobody polls any more.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    mem,
    pin::Pin,
    sync::{MutexGuard, atomic::Ordering::Relaxed},
    task::{Context as Poller, Poll, Waker},
};

use super::{Outbox, Queue};

/// Whom to wake once there is room, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// The number of the next one that comes.
    next: u64,
    wakers: BTreeMap<u64, Waker>,
    /// One of them came when there was no room, and not only behind others.
    lacks: bool,
    /// How many were woken and have not looked yet.
    called: usize,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
    }

    /// Whoever comes now passes nobody.
    pub(super) fn is_over(&self) -> bool {
        self.is_empty() && self.called == 0
    }

    /// All that wait, for who wakes them, since there is room.
    fn call(&mut self) -> impl Iterator<Item = Waker> + use<> {
        if mem::take(&mut self.lacks) {
            self.called += self.wakers.len();
        }
        self.take()
    }

    /// Those who were woken have had their turn.
    pub(super) fn next_turn(&mut self) {
        self.called = 0;
    }

    /// All that wait, for who wakes them.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Waker> + use<> {
        mem::take(&mut self.wakers).into_values()
    }

    /// Gives memory back if nobody waits.
    pub(super) fn trim(&mut self) {
        if self.is_empty() {
            self.wakers = BTreeMap::new();
        }
    }

    fn stay(&mut self, place: &mut Place, waker: &Waker) {
        let known = place.0;
        let number = *place.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        match self.wakers.entry(number) {
            Entry::Occupied(mut entry) => entry.get_mut().clone_from(waker),
            Entry::Vacant(entry) => {
                entry.insert(waker.clone());
                if known.is_some() {
                    self.called = self.called.saturating_sub(1);
                }
            }
        }
    }

    /// What was kept for that place, to be dropped where nothing is locked.
    fn leave(&mut self, place: &mut Place) -> Option<Waker> {
        let waker = self.wakers.remove(&place.0.take()?);
        if waker.is_none() {
            self.called = self.called.saturating_sub(1);
        }
        waker
    }
}

/// Whether it is a request's turn to be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It has just come.
    New,
    /// It has waited, and there was [room](Outbox::room) for all.
    Waited,
}

/// The place of one that waits for room, if it does. Whoever stops to wait [leaves](Outbox::leave) it.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<u64>);

/// Ready once there is room, or the connection is over. Dropped, it waits no more.
#[must_use = "it waits only while it is polled"]
pub(crate) struct Room<'o> {
    outbox: &'o Outbox,
    place: Place,
}

impl Outbox {
    /// Waits for room.
    pub(crate) fn room(&self) -> Room<'_> {
        Room {
            outbox: self,
            place: Place::default(),
        }
    }

    /// Ready once there is room, or the connection is over.
    pub(crate) fn poll_room(&self, place: &mut Place, cx: &mut Poller<'_>) -> Poll<()> {
        let mut queue = self.lock();
        let has_room = queue.has_room();
        let passes_nobody = place.0.is_some() || queue.waiting.called == 0;
        if has_room && passes_nobody || queue.closed {
            let left = queue.waiting.leave(place);
            drop(queue);
            drop(left);
            return Poll::Ready(());
        }
        queue.waiting.lacks |= !has_room;
        queue.waiting.stay(place, cx.waker());
        // Nobody else may have anything to write.
        let task = if has_room { queue.rouse() } else { None };
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
        Poll::Pending
    }

    /// Less waits to be written than did before: has those go on that wait for room, if that is enough.
    pub(super) fn make_room(&self, mut queue: MutexGuard<'_, Queue>) {
        let has_room = queue.has_room();
        if has_room && self.is_crowded() {
            self.crowded.store(false, Relaxed);
        }
        let waiting = has_room.then(|| queue.waiting.call());
        drop(queue);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// Who had that place waits no more.
    pub(crate) fn leave(&self, place: &mut Place) {
        if place.0.is_some() {
            let left = self.lock().waiting.leave(place);
            drop(left);
        }
    }
}

impl Future for Room<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let Self { outbox, place } = &mut *self;
        outbox.poll_room(place, cx)
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.outbox.leave(&mut self.place);
    }
}
