//! Who wakes a call at its deadline, if it is not the queue.
//!
//! A connection knows its calls and whom to wake for each of them. Where it wakes them at their deadlines as well, a place
//! in the queue is a second entry for the same thing, and costs what the first one does. So whoever waits says, while it is
//! polled, by when its task is woken at the latest; what bounds it takes a place only if that is too late, or if nobody said
//! anything.
//!
//! What is said holds until the task is polled again. Then it has to be said again: a call that was woken at its deadline and
//! goes on waiting is nobody's but the queue's.

use std::cell::Cell;

use crate::Deadline;

thread_local! {
    /// By when the task is woken that is being polled, as far as was said within the innermost bound.
    static WOKEN: Cell<Option<Deadline>> = const { Cell::new(None) };
}

/// Says that the task that is being polled will be woken at that deadline, or before.
///
/// A future that says so, and then does not wake its task, has a deadline that never ends it. One that is dropped before it is
/// ready, maybe in the very poll in which it said so, takes it back: [`forget_woken`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use std::{future::{Future, poll_fn}, pin::pin, task::Poll, time::Duration};
/// use rpc_core::{Deadline, Result, context::{DeadlineQueue, woken_by}};
///
/// let deadline = Deadline::after(Duration::from_millis(20));
/// // It has a timer of its own, so that the queue need not wake it.
/// let mut timer = pin!(tokio::time::sleep_until(deadline.instant()));
/// let waits = poll_fn(|cx| {
///     if timer.as_mut().poll(cx).is_pending() {
///         woken_by(deadline);
///     }
///     Poll::<Result<()>>::Pending
/// });
/// assert!(DeadlineQueue::new().within(deadline, waits).await.is_err());
/// # }
/// ```
pub fn woken_by(deadline: Deadline) {
    // Without a place to say it, nobody hears of it, and the queue is used.
    let _ = WOKEN.try_with(|woken| woken.set(Deadline::earlier(woken.get(), Some(deadline))));
}

/// Takes back what [`woken_by`] said in the poll that is under way: the queue will wake the task, whoever else would.
///
/// Whoever gave a call up may go on waiting for something else in the same poll.
pub fn forget_woken() {
    let _ = WOKEN.try_with(|woken| woken.set(None));
}

/// Polls somebody, and answers by when the task will be woken, if that was said meanwhile. What was said before belongs to who
/// polls us.
pub(super) fn listen<T>(poll: impl FnOnce() -> T) -> (T, Option<Deadline>) {
    let outside = Outside(WOKEN.try_with(Cell::take).unwrap_or_default());
    let polled = poll();
    let woken = WOKEN.try_with(Cell::get).unwrap_or_default();
    drop(outside);
    (polled, woken)
}

/// What was said before, put back even if the poll panics.
struct Outside(Option<Deadline>);

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = WOKEN.try_with(|woken| woken.set(self.0));
    }
}
