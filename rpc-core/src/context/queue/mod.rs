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
//! # Who needs no slot
//! A call that is woken at its deadline by somebody else: see [`woken_by`].
//!
//! # Where the task runs
//! On the runtime of the call that waited first. When that runtime ends, all calls that still wait are woken, and the first of
//! them starts the task anew on its own. A runtime that is kept but never polled keeps the timer from firing, as it does
//! with the connections that live on it.
//!
//! # Parts
//! `slots`, `shared`, `driver` and `wait` know moments, but neither clock nor runtime, so that all their interleavings can be
//! tried; what ties them to tokio is here and in `clock`.

mod clock;
mod driver;
mod shared;
mod slots;
#[cfg(test)]
mod tests;
mod wait;
mod within;
mod woken;

use std::{
    cell::Cell,
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context as Poller, Poll},
};

use tokio::runtime::Handle;

pub(super) use self::wait::Wait;
use self::{
    clock::{Alarm, Clock},
    driver::Driver,
    shared::Shared,
    slots::Moment,
    sync::Arc,
    wait::Due,
};
pub use self::{
    within::Within,
    woken::{forget_woken, woken_by},
};
use super::Deadline;

/// What is loom's where all interleavings are tried.
mod sync {
    pub(super) use std::sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    };

    pub(super) use atomic_waker::AtomicWaker;
}

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
struct Owner {
    clock: Clock,
    shared: Arc<Shared>,
}

impl DeadlineQueue {
    /// Without any. It starts its task when a call first waits.
    pub fn new() -> Self {
        Self(Arc::new(Owner {
            clock: Clock::new(),
            shared: Arc::new(Shared::new(shards())),
        }))
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

    /// Ready once the deadline passed. The place that it takes has to be [left](Self::leave).
    pub(super) fn poll(&self, wait: &mut Wait, deadline: Deadline, cx: &mut Poller<'_>) -> Poll<()> {
        wait.poll(&self.0.shared, &Queued(self, deadline), cx)
    }

    pub(super) fn leave(&self, wait: &mut Wait) {
        wait.leave(&self.0.shared);
    }
}

/// A deadline in a queue.
struct Queued<'a>(&'a DeadlineQueue, Deadline);

impl Due for Queued<'_> {
    fn moment(&self) -> Moment {
        self.0.0.clock.moment(self.1.instant())
    }

    fn has_passed(&self) -> bool {
        self.1.has_passed()
    }

    fn shard(&self) -> usize {
        own_shard(self.0.0.shared.shards.len())
    }

    fn arm(&self, moment: Moment) {
        let Owner { clock, shared } = &*self.0.0;
        if let Some(runtime) = shared.arm(moment, Handle::current) {
            runtime.spawn(Driver::new(Arc::clone(shared), Alarm::new(*clock)));
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.close();
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
