//! Running a call: on the spot if it needs not wait, elsewhere if it does.
//!
//! The future of a call is made in a box that the connection keeps. Most calls are done at their first poll, and the box
//! serves the next one; a call that must wait takes its box along. So a call that does not wait costs no allocation here,
//! and one that waits costs one box.

use std::{
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll, Waker},
};

use pin_project_lite::pin_project;

use super::running::Watch;

pin_project! {
    /// The place of one call's future.
    pub(super) struct Slot<F> {
        #[pin]
        future: Option<F>,
        watch: Option<Arc<Watch>>,
    }
}

impl<F: Future<Output = ()>> Slot<F> {
    /// Sets who is to be woken when the connection has something to tell.
    pub(super) fn watched(mut self: Pin<Box<Self>>, watch: Arc<Watch>) -> Pin<Box<Self>> {
        *self.as_mut().project().watch = Some(watch);
        self
    }
}

impl<F: Future<Output = ()>> Future for Slot<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(watch) = this.watch {
            watch.register(cx.waker());
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(());
        };
        // Handlers and stages do not panic out of their call, but an HTTP layer's body might, or a destructor. It must not
        // take the connection's other calls along; h2 resets the stream when it is dropped.
        let polled = panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))).unwrap_or_else(|_| {
            tracing::error!("a call panicked outside of its handler");
            Poll::Ready(())
        });
        if polled.is_ready() {
            // What the call held goes now, not when the box is used again.
            this.future.set(None);
            *this.watch = None;
        }
        polled
    }
}

/// Runs the calls of one connection.
pub(super) struct Runner<F> {
    spare: Option<Pin<Box<Slot<F>>>>,
}

impl<F: Future<Output = ()>> Runner<F> {
    pub(super) fn new() -> Self {
        Self { spare: None }
    }

    /// Polls a future once, and gives it back if it must wait.
    ///
    /// It is polled with a waker that wakes nobody: whoever takes it on polls it again at once.
    pub(super) fn run(&mut self, future: F) -> Option<Pin<Box<Slot<F>>>> {
        let mut slot = self.place(future);
        if slot
            .as_mut()
            .poll(&mut Poller::from_waker(Waker::noop()))
            .is_pending()
        {
            return Some(slot);
        }
        self.spare = Some(slot);
        None
    }

    /// Puts a future in a box without polling it.
    pub(super) fn place(&mut self, future: F) -> Pin<Box<Slot<F>>> {
        let mut slot = self.spare.take().unwrap_or_else(|| {
            Box::pin(Slot {
                future: None,
                watch: None,
            })
        });
        slot.as_mut().project().future.set(Some(future));
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn a_call_that_is_done_at_once_leaves_its_box() {
        let mut runner = Runner::new();
        assert!(runner.run(ready(())).is_none());
        let place = |runner: &Runner<_>| runner.spare.as_deref().map(std::ptr::from_ref);
        let first = place(&runner);
        assert!(runner.run(ready(())).is_none());
        assert!(first.is_some() && first == place(&runner));
    }

    #[test]
    fn a_call_that_waits_takes_it_along() {
        let mut runner = Runner::new();
        assert!(runner.run(pending()).is_some());
        assert!(runner.spare.is_none());
    }
}
