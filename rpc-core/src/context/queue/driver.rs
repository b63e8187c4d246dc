//! The task with the timer.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::SeqCst},
    task::{Context as Poller, Poll},
};

use tokio::time::{Instant, Sleep};

use super::{NEVER, Shared};

/// Holds the timer of a queue. It rests while nobody waits, and ends with the queue.
pub(super) struct Driver {
    shared: Arc<Shared>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, timer: None }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let Self { shared, timer } = self.get_mut();
        shared.driver.register(cx.waker());
        loop {
            if shared.is_closed.load(SeqCst) {
                return Poll::Ready(());
            }
            let armed = shared.armed.load(SeqCst);
            if armed == NEVER {
                *timer = None;
                return Poll::Pending;
            }
            let at = shared.instant(armed);
            let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
            if timer.deadline() != at {
                timer.as_mut().reset(at);
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            shared.wake_until(shared.moment(Instant::now()));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Its runtime may be gone while calls wait on another one: each of them looks after itself then.
        self.shared.is_running.store(false, SeqCst);
        self.shared.wake_until(NEVER - 1);
    }
}
