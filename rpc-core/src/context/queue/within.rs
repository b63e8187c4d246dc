//! The future that a deadline in a queue bounds.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

use pin_project_lite::pin_project;

use super::{DeadlineQueue, wait::Wait, woken::listen};
use crate::{Deadline, Status, context::expiry::Expiry};

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
            this.queue.leave(this.wait);
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
        let (polled, woken) = listen(|| this.future.poll(cx));
        if let Poll::Ready(result) = polled {
            return Poll::Ready(result);
        }
        if woken.is_some_and(|woken| woken <= *this.deadline) {
            return Poll::Pending;
        }
        if this.queue.poll(this.wait, *this.deadline, cx).is_pending() {
            return Poll::Pending;
        }
        *this.expired = true;
        Poll::Ready(Err(Expiry::status()))
    }
}
