//! Those who wait for room.

use std::{
    collections::BTreeMap,
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
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty()
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
        let number = *place.0.get_or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.wakers
            .entry(number)
            .and_modify(|known| known.clone_from(waker))
            .or_insert_with(|| waker.clone());
    }

    /// What was kept for that place, to be dropped where nothing is locked.
    fn leave(&mut self, place: &mut Place) -> Option<Waker> {
        self.wakers.remove(&place.0.take()?)
    }
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
        if queue.has_room() || queue.closed {
            let left = queue.waiting.leave(place);
            drop(queue);
            drop(left);
            return Poll::Ready(());
        }
        queue.waiting.stay(place, cx.waker());
        Poll::Pending
    }

    /// Less waits to be written than did before: has those go on that wait for room, if that is enough.
    pub(super) fn make_room(&self, mut queue: MutexGuard<'_, Queue>) {
        let has_room = queue.has_room();
        if has_room && self.is_crowded() {
            self.crowded.store(false, Relaxed);
        }
        let waiting = (has_room && !queue.waiting.is_empty()).then(|| queue.waiting.take());
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
