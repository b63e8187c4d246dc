//! The deadlines of many calls on one timer.
//!
//! # Why
//! A timer per call goes through the runtime's timer wheel twice, and that is behind one lock which all calls of the
//! process take; nearly all of those timers are cancelled. Here a call that waits leaves its deadline and its waker in a
//! slot. One task holds one timer, for the earliest of them; when it fires, the task looks at all slots, wakes the calls
//! whose time is up, and arms the timer for the earliest of the rest. A call that is done takes its slot back, which
//! touches no timer: the timer may fire for a call that is gone, finds nothing, and rests.
//!
//! # Why a scan
//! A heap or a wheel would tell the next deadline without looking at all slots, and would make each call pay for that. The
//! timer fires at most once per length of the shortest timeouts in use, so looking at a few thousand slots is rare; with
//! the deadlines of a process mixed from 0.1 to 10 s it is a hundredth of what a small call costs.
//!
//! # Bounds
//! Never early. Late by what the runtime's timer is, which rounds up to a millisecond, and by the time that a scan takes.
//!
//! # Shards
//! The slots are spread over a few locks, as many as there are CPUs up to eight, and a thread keeps to one of them: they are
//! as good as never waited for.
//!
//! # Where the task runs
//! On the runtime of the call that waited first. When that runtime ends, all calls that still wait are woken, and the first of
//! them starts the task anew on its own. A runtime that is kept but never polled keeps the timer from firing, as it does
//! with the connections that live on it.

mod driver;
mod slots;
#[cfg(test)]
mod tests;
mod wait;

use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, SeqCst},
        },
    },
    task::Waker,
};

use atomic_waker::AtomicWaker;
use tokio::{runtime::Handle, time::Instant};

pub(super) use self::wait::Wait;
pub use self::wait::Within;
use self::{driver::Driver, slots::Shard};
use super::Deadline;

/// Over how many locks the slots are spread at most.
const MAX_SHARDS: usize = 8;

/// Deadlines that share a timer. Clones share it too.
///
/// Whoever answers many calls has one: a client, a connection. See [`within`](Self::within) and
/// [`Expiry::queued`](super::Expiry::queued).
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::{future::pending, time::Duration};
/// use rpc_core::{Code, Deadline, Result, context::DeadlineQueue};
///
/// let queue = DeadlineQueue::new();
/// let deadline = Deadline::after(Duration::from_millis(20));
/// let late = queue.within(deadline, pending::<Result<()>>()).await;
/// assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
/// # }
/// ```
#[derive(Clone)]
pub struct DeadlineQueue(Arc<Owner>);

/// Ends the task with the last handle.
struct Owner(Arc<Shared>);

/// What calls and the task share.
struct Shared {
    /// Moments are counted from here, so that they fit an atomic number.
    base: Instant,
    /// For when the timer is armed, or shall be. Never later than the deadline of a call that waits.
    armed: AtomicU64,
    /// Counts how often the task woke calls. A call that finds it unchanged has not been woken by it.
    rounds: AtomicU64,
    is_running: AtomicBool,
    is_closed: AtomicBool,
    driver: AtomicWaker,
    shards: Box<[Shard]>,
}

/// A moment, in nanoseconds from half of the range on, where [`Shared::base`] is. `NEVER` is after all of them.
type Moment = u64;

const BASE: Moment = 1 << 63;
const NEVER: Moment = u64::MAX;

impl DeadlineQueue {
    /// Without any. It starts its task when a call first waits.
    pub fn new() -> Self {
        Self(Arc::new(Owner(Arc::new(Shared {
            base: Instant::now(),
            armed: AtomicU64::new(NEVER),
            rounds: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            driver: AtomicWaker::new(),
            shards: std::iter::repeat_with(Shard::default).take(shards()).collect(),
        }))))
    }

    /// Runs a future until a deadline, for who has looked at the clock and found that the deadline is ahead.
    ///
    /// The future is polled first, so one that is ready at once costs nothing here. It is held where it is passed in.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED once the deadline passed.
    ///
    /// # Panics
    /// When a future that must wait is polled outside of a tokio runtime.
    pub fn within<F>(&self, deadline: Deadline, future: F) -> Within<'_, F> {
        Within::new(self, deadline, future)
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.0
    }
}

impl Shared {
    fn moment(&self, at: Instant) -> Moment {
        match at.checked_duration_since(self.base) {
            Some(after) => BASE.saturating_add(after.as_nanos() as u64).min(NEVER - 1),
            None => BASE.saturating_sub((self.base - at).as_nanos() as u64),
        }
    }

    fn instant(&self, moment: Moment) -> Instant {
        let nanos = std::time::Duration::from_nanos;
        match moment.checked_sub(BASE) {
            Some(after) => self.base + nanos(after),
            // It was an instant before, so there is one.
            None => self.base.checked_sub(nanos(BASE - moment)).unwrap_or(self.base),
        }
    }

    /// How often calls were woken so far.
    fn rounds(&self) -> u64 {
        self.rounds.load(Acquire)
    }

    /// Sees to it that the timer fires at that moment or before. The call is in its slot already.
    fn arm(self: &Arc<Self>, moment: Moment) {
        if self.armed.load(SeqCst) <= moment {
            return;
        }
        self.armed.fetch_min(moment, SeqCst);
        let runtime = Handle::current();
        if self.is_running.swap(true, SeqCst) {
            self.driver.wake();
        } else {
            runtime.spawn(Driver::new(Arc::clone(self)));
        }
    }

    /// Wakes the calls whose deadline is `now` or before, and says when to look again.
    fn wake_until(&self, now: Moment) {
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
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.is_closed.store(true, SeqCst);
        self.0.driver.wake();
    }
}

impl Default for DeadlineQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DeadlineQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadlineQueue").finish_non_exhaustive()
    }
}

/// How many locks are of use: no more than run at once.
fn shards() -> usize {
    // Asked once: the answer is looked up in files.
    static CPUS: OnceLock<usize> = OnceLock::new();
    let cpus = || std::thread::available_parallelism().map_or(1, usize::from);
    (*CPUS.get_or_init(cpus)).min(MAX_SHARDS)
}

/// The shard of this thread, of so many.
fn own_shard(shards: usize) -> usize {
    // Numbers of threads, which mean nothing but that neighbours have different ones.
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
    }
    let number = || THREADS.fetch_add(1, Relaxed) % MAX_SHARDS;
    let own = SHARD
        .try_with(|shard| {
            let own = shard.get().unwrap_or_else(number);
            shard.set(Some(own));
            own
        })
        .unwrap_or(0);
    own % shards
}
