//! What the calls of a queue and its task share.

use std::task::Waker;

use super::{
    slots::{Moment, NEVER, Shard},
    sync::{
        AtomicBool, AtomicU64, AtomicWaker,
        Ordering::{Acquire, SeqCst},
    },
};

pub(super) struct Shared {
    /// For when the timer is armed, or shall be. Never later than the deadline of a call that waits.
    pub(super) armed: AtomicU64,
    /// Counts how often the task woke calls. A call that finds it unchanged has not been woken by it.
    rounds: AtomicU64,
    pub(super) is_running: AtomicBool,
    is_closed: AtomicBool,
    pub(super) driver: AtomicWaker,
    pub(super) shards: Box<[Shard]>,
}

impl Shared {
    /// Without a call and without a task.
    pub(super) fn new(shards: usize) -> Self {
        Self {
            armed: AtomicU64::new(NEVER),
            rounds: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            driver: AtomicWaker::new(),
            shards: std::iter::repeat_with(Shard::default).take(shards).collect(),
        }
    }

    /// How often calls were woken so far.
    pub(super) fn rounds(&self) -> u64 {
        self.rounds.load(Acquire)
    }

    /// Sees to it that the timer fires at that moment or before. The call is in its slot already.
    ///
    /// Returns where the task shall run, if there is none: the caller has to start it. Where that is, is asked before anything
    /// is changed: asking may panic, and the timer would seem armed with nobody at it.
    #[must_use]
    pub(super) fn arm<R>(&self, moment: Moment, runtime: impl FnOnce() -> R) -> Option<R> {
        if self.armed.load(SeqCst) <= moment {
            return None;
        }
        let runtime = runtime();
        self.armed.fetch_min(moment, SeqCst);
        if self.is_running.swap(true, SeqCst) {
            self.driver.wake();
            return None;
        }
        Some(runtime)
    }

    /// Wakes the calls whose deadline is `now` or before, and says when to look again.
    pub(super) fn wake_until(&self, now: Moment) {
        // First of all: a call that comes while the shards are looked at is either seen there, or finds this and arms.
        self.armed.store(NEVER, SeqCst);
        let mut due = Vec::new();
        let next = self
            .shards
            .iter()
            .map(|shard| shard.take_due(now, &mut due))
            .min();
        if let Some(next) = next.filter(|next| *next < NEVER) {
            self.armed.fetch_min(next, SeqCst);
        }
        self.tell(due);
    }

    fn tell(&self, wakers: Vec<Waker>) {
        // After they were taken and before they are woken: each finds that the count has changed since it looked.
        self.rounds.fetch_add(1, SeqCst);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends the task.
    pub(super) fn close(&self) {
        self.is_closed.store(true, SeqCst);
        self.driver.wake();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }
}
