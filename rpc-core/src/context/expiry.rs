//! A deadline that wakes whoever waits, at no cost while nobody does.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::{DeadlineQueue, queue::Wait};
use crate::{Deadline, Status, status::reason};

/// Polls to ready once a deadline passed. Its timer is armed at the first poll: what is done at once arms none.
#[derive(Debug)]
pub struct Expiry {
    deadline: Deadline,
    timer: Timer,
}

#[derive(Debug)]
enum Timer {
    /// Of its own.
    Own(Option<Pin<Box<Sleep>>>),
    Shared(DeadlineQueue, Wait),
}

impl Expiry {
    /// Of a deadline, with a timer of its own.
    pub fn new(deadline: Deadline) -> Self {
        Self {
            deadline,
            timer: Timer::Own(None),
        }
    }

    /// Of a deadline, with the timer of a queue.
    pub fn queued(deadline: Deadline, queue: &DeadlineQueue) -> Self {
        Self {
            deadline,
            timer: Timer::Shared(queue.clone(), Wait::default()),
        }
    }

    /// Ready with the status of a call whose deadline passed.
    pub fn poll_expired(&mut self, cx: &mut Poller<'_>) -> Poll<Status> {
        let polled = match &mut self.timer {
            Timer::Own(timer) => timer
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline.instant())))
                .as_mut()
                .poll(cx),
            Timer::Shared(queue, wait) => queue.poll(wait, self.deadline, cx),
        };
        polled.map(|()| Self::status())
    }

    /// The deadline.
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Runs a future until the deadline.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED once the deadline passed.
    pub async fn run<T>(&mut self, future: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        Bounded { future, expiry: self }.await
    }

    /// What a call ends with whose deadline passed.
    pub fn status() -> Status {
        Status::deadline_exceeded("the deadline passed before the call was done")
            .with_reason(reason::DEADLINE_PASSED)
            .with_domain(reason::DOMAIN)
    }
}

impl Drop for Expiry {
    fn drop(&mut self) {
        if let Timer::Shared(queue, wait) = &mut self.timer {
            queue.leave(wait);
        }
    }
}

/// Runs a future until a deadline, if there is one.
///
/// The timer is a part of the future and is armed when the future first has to wait. The future is held where it is passed
/// in, and copied nowhere. For what many calls do, a [`DeadlineQueue`] is cheaper.
///
/// # Errors
/// DEADLINE_EXCEEDED once the deadline passed; the future is dropped with this one, or never polled.
pub fn until<T, F: Future<Output = Result<T, Status>>>(deadline: Option<Deadline>, future: F) -> Until<F> {
    let expired = deadline.is_some_and(Deadline::has_passed);
    Until {
        future,
        deadline,
        timer: None,
        is_late: expired,
        expired,
    }
}

pin_project! {
    /// A future that a deadline bounds: see [`until`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Until<F> {
        #[pin]
        future: F,
        deadline: Option<Deadline>,
        #[pin]
        timer: Option<Sleep>,
        is_late: bool,
        expired: bool,
    }
}

impl<F> Until<F> {
    /// True if the deadline had passed before there was anything to run.
    pub fn is_late(&self) -> bool {
        self.is_late
    }

    /// True if it was the deadline that ended it, and not the future.
    pub fn has_expired(&self) -> bool {
        self.expired
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Until<F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if *this.is_late {
            return Poll::Ready(Err(Expiry::status()));
        }
        if let Poll::Ready(result) = this.future.poll(cx) {
            return Poll::Ready(result);
        }
        let Some(deadline) = *this.deadline else {
            return Poll::Pending;
        };
        if this.timer.is_none() {
            this.timer.set(Some(tokio::time::sleep_until(deadline.instant())));
        }
        match this.timer.as_pin_mut().map(|timer| timer.poll(cx)) {
            Some(Poll::Ready(())) => {
                *this.expired = true;
                Poll::Ready(Err(Expiry::status()))
            }
            _ => Poll::Pending,
        }
    }
}

pin_project! {
    /// Written by hand, because an `async fn` keeps its argument twice.
    #[derive(Debug)]
    struct Bounded<'a, F> {
        #[pin]
        future: F,
        expiry: &'a mut Expiry,
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Bounded<'_, F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.future.poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.expiry.poll_expired(cx).map(Err),
        }
    }
}
