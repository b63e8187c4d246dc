//! The place of one call's future, and what may end the call besides itself.

use std::{
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    task::{Context as Poller, Poll, Waker},
};

use pin_project_lite::pin_project;

use crate::future::Placed;

/// What a connection has to tell a call that waits. One that is dropped without a word of how the call ended was dropped with
/// a call that nobody ran to its end.
pub trait Watch {
    /// Why it ends a call.
    type End;

    /// Notes whom to wake, and says whether the call must end now. It is asked before the call is polled.
    fn check(&self, waker: &Waker) -> Option<Self::End>;

    /// The call was ended for that reason. What worked for it was dropped before: it ends before its caller hears of it.
    fn ended(self, end: Self::End);

    /// The call panicked, where its handler cannot be blamed for it.
    fn panicked(self);

    /// The call has come to its end by itself.
    fn finished(self);
}

/// The future panicked.
pub(super) struct Panicked;

pin_project! {
    /// The place of one call's future.
    #[derive(Debug)]
    pub(super) struct Slot<F, W> {
        #[pin]
        future: Option<F>,
        watch: Option<W>,
    }
}

impl<F, W> Slot<F, W> {
    pub(super) fn empty() -> Self {
        Self {
            future: None,
            watch: None,
        }
    }

    #[inline]
    pub(super) fn fill(self: Pin<&mut Self>, future: F) {
        self.project().future.set(Some(future));
    }
}

impl<F: Future<Output = ()>, W: Watch> Slot<F, W> {
    /// Once ready, nothing of the call is left: what it held goes now, not when the box is used again.
    #[inline]
    pub(super) fn poll_once(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Result<(), Panicked>> {
        let mut this = self.project();
        if let Some(end) = this.watch.as_ref().and_then(|watch| watch.check(cx.waker())) {
            drop_caught(this.future.as_mut());
            if let Some(watch) = this.watch.take() {
                watch.ended(end);
            }
            return Poll::Ready(Ok(()));
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            return Poll::Ready(Ok(()));
        };
        // Handlers and stages do not panic out of their call, but a user's HTTP layer might, or a destructor. It must not
        // take the connection's other calls along.
        let result = match panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => Ok(()),
            Err(_) => Err(Panicked),
        };
        drop_caught(this.future);
        let watch = this.watch.take();
        if result.is_err() {
            tracing::error!("a call panicked outside of its handler");
        }
        match (watch, &result) {
            (Some(watch), Ok(())) => watch.finished(),
            (Some(watch), Err(Panicked)) => watch.panicked(),
            (None, _) => {}
        }
        Poll::Ready(result)
    }
}

/// A call that waits, with its place. Made by a [`Runner`](super::Runner), and polled by an executor.
#[derive(Debug)]
#[must_use = "a call does nothing unless it is polled"]
pub struct Waits<F, W>(pub(super) Placed<Slot<F, W>>);

impl<F, W> Waits<F, W> {
    /// Sets what may end the call besides itself.
    pub fn watched(mut self, watch: W) -> Self {
        *self.0.pinned().project().watch = Some(watch);
        self
    }
}

impl<F: Future<Output = ()>, W: Watch> Future for Waits<F, W> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        // Whom it concerns was told.
        self.0.pinned().poll_once(cx).map(|_| ())
    }
}

#[inline]
fn drop_caught<F>(mut future: Pin<&mut Option<F>>) {
    if future.is_some() && panic::catch_unwind(AssertUnwindSafe(|| future.set(None))).is_err() {
        tracing::error!("a call panicked while it was dropped");
    }
}
