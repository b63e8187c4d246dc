//! Which calls may have a stream, when the peer bounds how many there are.
//!
//! h2 has a queue for streams above the peer's bound, but it asks each caller to come back when the one before it was opened,
//! which callers that share a handle cannot do, and a stream in that queue cannot be moved to another connection. So calls
//! queue here, first come, first served, and h2 never sees one too many. While there is room, taking and giving back a slot is
//! one atomic operation each.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Poll, Waker},
};

/// Slots for calls.
#[derive(Debug)]
pub(crate) struct Slots {
    taken: AtomicUsize,
    limit: AtomicUsize,
    /// How many wait. Whoever gives a slot back looks here before it takes the lock, and whoever waits raises it before it
    /// looks for a slot a last time: one of them sees the other.
    waiting: AtomicUsize,
    closed: AtomicBool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiters: VecDeque<Arc<Waiter>>,
    /// Those that were granted their slot, to be used again once their call has seen it.
    spare: VecDeque<Arc<Waiter>>,
}

/// How many waiters are kept to be used again.
const SPARE: usize = 128;

/// There is no slot to wait for: the connection takes no new calls, or another one has room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

#[derive(Debug, Default)]
struct Waiter(Mutex<Waiting>);

#[derive(Debug, Default)]
enum Waiting {
    #[default]
    New,
    Parked(Waker),
    /// The slot is its: it has to be used or given back.
    Granted,
    Closed,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            limit: AtomicUsize::new(limit),
            waiting: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            queue: Mutex::default(),
        }
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }

    /// How many there are.
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(SeqCst)
    }

    /// How many wait for one.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Sets how many there are. Those above that are taken already stay so.
    pub(crate) fn set_limit(&self, limit: usize) {
        if self.limit.swap(limit, SeqCst) < limit {
            self.grant();
        }
    }

    /// Takes a slot; waits for its turn if there is none, and says so by `waits`. Give it back with [`release`](Self::release).
    ///
    /// # Cancellation
    /// Dropping the future leaves the queue.
    pub(crate) async fn take(&self, waits: impl FnOnce()) -> Result<(), Closed> {
        if self.closed.load(SeqCst) {
            return Err(Closed);
        }
        if self.waiting.load(SeqCst) == 0 && self.try_take() {
            return Ok(());
        }
        self.wait(waits).await
    }

    /// Gives a slot back.
    pub(crate) fn release(&self) {
        let before = self.taken.fetch_sub(1, SeqCst);
        debug_assert!(before > 0, "a slot is given back that was not taken");
        if self.waiting.load(SeqCst) > 0 {
            self.grant();
        }
    }

    /// Gives out no more; whoever waits is told.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.send_away();
    }

    /// Tells whoever waits to look elsewhere.
    pub(crate) fn send_away(&self) {
        let mut queue = self.lock();
        for waiter in queue.waiters.drain(..) {
            waiter.settle(Waiting::Closed);
        }
        self.waiting.store(0, SeqCst);
    }

    async fn wait(&self, waits: impl FnOnce()) -> Result<(), Closed> {
        let waiter = {
            let mut queue = self.lock();
            let waiter = queue.fresh();
            queue.waiters.push_back(Arc::clone(&waiter));
            self.waiting.store(queue.waiters.len(), SeqCst);
            // It was pushed before `closed` is read, and `close` sets that before it looks at the queue.
            if self.closed.load(SeqCst) {
                queue.waiters.retain(|other| !Arc::ptr_eq(other, &waiter));
                self.waiting.store(queue.waiters.len(), SeqCst);
                return Err(Closed);
            }
            self.grant_to(&mut queue);
            waiter
        };
        waits();
        let mut leave = Leave {
            slots: self,
            waiter: Some(&waiter),
        };
        let outcome = poll_fn(|cx| waiter.poll(cx.waker())).await;
        leave.waiter = None;
        outcome
    }

    fn try_take(&self) -> bool {
        let mut taken = self.taken.load(SeqCst);
        while taken < self.limit.load(SeqCst) {
            match self.taken.compare_exchange_weak(taken, taken + 1, SeqCst, SeqCst) {
                Ok(_) => return true,
                Err(now) => taken = now,
            }
        }
        false
    }

    fn grant(&self) {
        self.grant_to(&mut self.lock());
    }

    fn grant_to(&self, queue: &mut Queue) {
        while !queue.waiters.is_empty() && self.try_take() {
            if let Some(waiter) = queue.waiters.pop_front() {
                waiter.settle(Waiting::Granted);
                if queue.spare.len() < SPARE {
                    queue.spare.push_back(waiter);
                }
            }
        }
        self.waiting.store(queue.waiters.len(), SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while it is held but a waker, and the queue is whole then.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// A waiter that nobody else has.
    fn fresh(&mut self) -> Arc<Waiter> {
        // The first of them was granted its slot first, so its call is the first to be done with it.
        if let Some(mut used) = self.spare.pop_front() {
            if let Some(waiter) = Arc::get_mut(&mut used) {
                *waiter = Waiter::default();
                return used;
            }
            self.spare.push_front(used);
        }
        Arc::default()
    }
}

impl Waiter {
    fn poll(&self, waker: &Waker) -> Poll<Result<(), Closed>> {
        let mut state = self.lock();
        match &mut *state {
            Waiting::Granted => Poll::Ready(Ok(())),
            Waiting::Closed => Poll::Ready(Err(Closed)),
            Waiting::Parked(parked) => {
                parked.clone_from(waker);
                Poll::Pending
            }
            Waiting::New => {
                *state = Waiting::Parked(waker.clone());
                Poll::Pending
            }
        }
    }

    fn settle(&self, outcome: Waiting) {
        let before = std::mem::replace(&mut *self.lock(), outcome);
        if let Waiting::Parked(waker) = before {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves the queue, or gives back what was granted to a call that is not there any more.
struct Leave<'s> {
    slots: &'s Slots,
    waiter: Option<&'s Arc<Waiter>>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter else { return };
        {
            let mut queue = self.slots.lock();
            queue.waiters.retain(|other| !Arc::ptr_eq(other, waiter));
            self.slots.waiting.store(queue.waiters.len(), SeqCst);
        }
        // It is out of the queue, so nobody settles it any more.
        let granted = matches!(*waiter.lock(), Waiting::Granted);
        if granted {
            self.slots.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::JoinSet;

    use super::*;

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn first_come_first_served() {
        let slots = Arc::new(Slots::new(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        slots.take(|| ()).await.unwrap();
        let mut tasks = JoinSet::new();
        for n in 0..5 {
            let (slots, order) = (Arc::clone(&slots), Arc::clone(&order));
            tasks.spawn(async move {
                slots.take(|| ()).await.unwrap();
                order.lock().unwrap().push(n);
                slots.release();
            });
            settle().await;
        }
        slots.release();
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
        assert_eq!(slots.taken(), 0);
    }

    #[tokio::test]
    async fn a_new_call_does_not_overtake_one_that_waits() {
        let slots = Slots::new(1);
        slots.take(|| ()).await.unwrap();
        let mut waiting = Box::pin(slots.take(|| ()));
        assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
        slots.release();
        let late = tokio::time::timeout(Duration::from_millis(1), slots.take(|| ())).await;
        assert!(late.is_err(), "the slot was promised");
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn who_leaves_takes_nothing_along() {
        let slots = Slots::new(1);
        slots.take(|| ()).await.unwrap();
        for granted in [false, true] {
            let mut waiting = Box::pin(slots.take(|| ()));
            assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
            if granted {
                slots.release();
            }
            drop(waiting);
            assert_eq!(slots.taken(), usize::from(!granted));
        }
        slots.take(|| ()).await.unwrap();
    }

    #[tokio::test]
    async fn waiters_are_used_again_and_forget_what_they_were() {
        let slots = Slots::new(1);
        slots.take(|| ()).await.unwrap();
        for _ in 0..2 * SPARE {
            let mut waiting = Box::pin(slots.take(|| ()));
            assert!(poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
            slots.release();
            waiting.await.unwrap();
        }
        assert_eq!(slots.lock().spare.len(), 1);
    }

    #[tokio::test]
    async fn a_higher_limit_lets_more_in_and_closing_nobody() {
        let slots = Arc::new(Slots::new(0));
        let waiting = |slots: Arc<Slots>| tokio::spawn(async move { slots.take(|| ()).await });
        let (first, second) = (waiting(Arc::clone(&slots)), waiting(Arc::clone(&slots)));
        settle().await;
        slots.set_limit(1);
        assert_eq!(first.await.unwrap(), Ok(()));
        slots.close();
        assert_eq!(second.await.unwrap(), Err(Closed));
        assert_eq!(slots.take(|| ()).await, Err(Closed));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn none_is_lost_and_none_is_given_twice() {
        let slots = Arc::new(Slots::new(3));
        let inside = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for n in 0..16 {
            let (slots, inside) = (Arc::clone(&slots), Arc::clone(&inside));
            tasks.spawn(async move {
                for round in 0..500 {
                    if (n + round) % 7 == 0 {
                        // Gives up while it waits, or at once.
                        let _ = tokio::time::timeout(Duration::ZERO, async {
                            slots.take(|| ()).await.unwrap();
                            slots.release();
                        })
                        .await;
                        continue;
                    }
                    slots.take(|| ()).await.unwrap();
                    assert!(inside.fetch_add(1, SeqCst) < 3);
                    tokio::task::yield_now().await;
                    inside.fetch_sub(1, SeqCst);
                    slots.release();
                }
            });
        }
        tokio::time::timeout(Duration::from_mins(1), tasks.join_all())
            .await
            .expect("nobody waits for ever");
        assert_eq!(slots.taken(), 0);
        assert_eq!(slots.waiting.load(SeqCst), 0);
    }
}
