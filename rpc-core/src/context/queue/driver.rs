//! The task with the timer.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

use super::{
    shared::Shared,
    slots::{Moment, NEVER},
    sync::{Arc, Ordering::SeqCst},
};

/// Fires at a moment, which may be another one at each poll.
pub(super) trait Timer {
    /// Ready at that moment or after it, with what moment it is by then.
    fn poll(&mut self, at: Moment, cx: &mut Poller<'_>) -> Poll<Moment>;

    /// Disarms it.
    fn rest(&mut self);
}

/// Holds the timer of a queue. It rests while nobody waits, and ends with the queue.
pub(super) struct Driver<T> {
    shared: Arc<Shared>,
    timer: T,
}

impl<T: Timer> Driver<T> {
    pub(super) fn new(shared: Arc<Shared>, timer: T) -> Self {
        Self { shared, timer }
    }
}

impl<T: Timer + Unpin> Future for Driver<T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let Self { shared, timer } = self.get_mut();
        shared.driver.register(cx.waker());
        loop {
            if shared.is_closed() {
                return Poll::Ready(());
            }
            let armed = shared.armed.load(SeqCst);
            if armed == NEVER {
                timer.rest();
                return Poll::Pending;
            }
            match timer.poll(armed, cx) {
                Poll::Ready(now) => shared.wake_until(now),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        // Its runtime may be gone while calls wait on another one: each of them looks after itself then.
        self.shared.is_running.store(false, SeqCst);
        self.shared.wake_until(NEVER - 1);
    }
}
