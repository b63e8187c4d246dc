//! Running a call: on the spot if it needs not wait, elsewhere if it does.
//!
//! The future of a call is made in a box that the connection keeps. Most calls are done at their first poll, and the box
//! serves the next one; a call that must wait takes its box along.

use std::{
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context as Poller, Poll, Waker},
};

use atomic_waker::AtomicWaker;
use pin_project_lite::pin_project;
use rpc_core::{Deadline, Status, status::reason};

use super::conn::Conn;
use crate::wire::CallId;

/// What the connection tells a call that waits.
#[derive(Debug)]
pub(super) struct Watch {
    waker: AtomicWaker,
    cancelled: AtomicBool,
    pub(super) deadline: Option<Deadline>,
    pub(super) is_stream: bool,
}

impl Watch {
    pub(super) fn new(deadline: Option<Deadline>, is_stream: bool) -> Self {
        Self {
            waker: AtomicWaker::new(),
            cancelled: AtomicBool::new(false),
            deadline,
            is_stream,
        }
    }

    /// The caller wants no answer any more.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, SeqCst);
        self.waker.wake();
    }

    /// Has the call look at the clock, and at the phase of the server's stop.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }
}

pin_project! {
    /// The place of one call's future.
    pub(super) struct Slot<F> {
        #[pin]
        future: Option<F>,
        watched: Option<Watched>,
    }
}

struct Watched {
    watch: Arc<Watch>,
    conn: Arc<Conn>,
    call: CallId,
}

impl<F: Future<Output = ()>> Slot<F> {
    /// Sets what ends the call besides itself.
    pub(super) fn watched(
        mut self: Pin<Box<Self>>,
        watch: Arc<Watch>,
        conn: Arc<Conn>,
        call: CallId,
    ) -> Pin<Box<Self>> {
        *self.as_mut().project().watched = Some(Watched { watch, conn, call });
        self
    }
}

impl<F: Future<Output = ()>> Future for Slot<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let mut this = self.project();
        let polled = match this.watched {
            None => poll_caught(this.future.as_mut(), cx),
            Some(Watched { watch, conn, call }) => {
                watch.waker.register(cx.waker());
                if watch.cancelled.load(SeqCst) {
                    Poll::Ready(Ok(()))
                } else {
                    match conn.must_end(watch.deadline, watch.is_stream) {
                        Some(status) => {
                            // What works for the call ends before its caller hears of it.
                            drop_caught(this.future.as_mut());
                            conn.fail(*call, &status);
                            Poll::Ready(Ok(()))
                        }
                        None => poll_caught(this.future.as_mut(), cx),
                    }
                }
            }
        };
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(ended) => {
                // What the call held goes now, not when the box is used again.
                drop_caught(this.future.as_mut());
                if let (Err(Panicked), Some(Watched { conn, call, .. })) = (ended, &this.watched) {
                    conn.fail(*call, &panicked());
                }
                *this.watched = None;
                Poll::Ready(())
            }
        }
    }
}

/// Handlers and stages do not panic out of their call, but a destructor might. It must not take the connection along.
struct Panicked;

fn poll_caught<F: Future<Output = ()>>(
    future: Pin<&mut Option<F>>,
    cx: &mut Poller<'_>,
) -> Poll<Result<(), Panicked>> {
    let Some(future) = future.as_pin_mut() else {
        return Poll::Ready(Ok(()));
    };
    if let Ok(polled) = panic::catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
        return polled.map(Ok);
    }
    tracing::error!("a call panicked outside of its handler");
    Poll::Ready(Err(Panicked))
}

fn drop_caught<F>(mut future: Pin<&mut Option<F>>) {
    if future.is_some() && panic::catch_unwind(AssertUnwindSafe(|| future.set(None))).is_err() {
        tracing::error!("a call panicked while it was dropped");
    }
}

fn panicked() -> Status {
    Status::internal("the call panicked")
        .with_reason(reason::HANDLER_PANICKED)
        .with_domain(reason::DOMAIN)
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
    #[inline]
    pub(super) fn run(&mut self, make: impl FnOnce() -> F) -> Option<Pin<Box<Slot<F>>>> {
        let mut slot = self.place(make);
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

    /// Puts a future in a box without polling it. It is made there: it is large, and each move of it copies all of its room.
    #[inline]
    pub(super) fn place(&mut self, make: impl FnOnce() -> F) -> Pin<Box<Slot<F>>> {
        let mut slot = self.spare.take().unwrap_or_else(|| {
            Box::pin(Slot {
                future: None,
                watched: None,
            })
        });
        slot.as_mut().project().future.set(Some(make()));
        slot
    }

    /// Gives the box back.
    pub(super) fn trim(&mut self) {
        self.spare = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn a_call_that_is_done_at_once_leaves_its_box() {
        let mut runner = Runner::new();
        assert!(runner.run(|| ready(())).is_none());
        let place = |runner: &Runner<_>| runner.spare.as_deref().map(std::ptr::from_ref);
        let first = place(&runner);
        assert!(runner.run(|| ready(())).is_none());
        assert!(first.is_some() && first == place(&runner));
    }

    #[test]
    fn a_call_that_waits_takes_it_along() {
        let mut runner = Runner::new();
        assert!(runner.run(pending).is_some());
        assert!(runner.spare.is_none());
    }
}
