//! A deadline that wakes whoever waits, at no cost while nobody does.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use crate::{Deadline, Status, status::reason};

/// Polls to ready once a deadline passed. The timer is armed at the first poll: what is done at once arms none.
#[derive(Debug)]
pub struct Expiry {
    deadline: Deadline,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Expiry {
    /// Of a deadline.
    pub fn new(deadline: Deadline) -> Self {
        Self {
            deadline,
            timer: None,
        }
    }

    /// Ready with the status of a call whose deadline passed.
    pub fn poll_expired(&mut self, cx: &mut Poller<'_>) -> Poll<Status> {
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline.instant())));
        timer.as_mut().poll(cx).map(|()| Self::status())
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

/// Runs a future until a deadline, if there is one.
///
/// The future is held where it is passed in, and copied nowhere: a large one is best passed in as `Pin<&mut _>`.
///
/// # Errors
/// DEADLINE_EXCEEDED once the deadline passed; the future is dropped then, or never polled.
pub fn until<T, F: Future<Output = Result<T, Status>>>(deadline: Option<Deadline>, future: F) -> Until<F> {
    let is_late = deadline.is_some_and(Deadline::has_passed);
    Until {
        bounded: Bounded {
            future,
            expiry: deadline.map(Expiry::new),
        },
        is_late,
    }
}

pin_project! {
    /// A future that a deadline bounds: see [`until`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Until<F> {
        #[pin]
        bounded: Bounded<F, Option<Expiry>>,
        is_late: bool,
    }
}

impl<T, F: Future<Output = Result<T, Status>>> Future for Until<F> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if *this.is_late {
            Poll::Ready(Err(Expiry::status()))
        } else {
            this.bounded.poll(cx)
        }
    }
}

pin_project! {
    /// Written by hand, because an `async fn` keeps its argument twice.
    #[derive(Debug)]
    struct Bounded<F, E> {
        #[pin]
        future: F,
        expiry: E,
    }
}

impl<T, F: Future<Output = Result<T, Status>>, E: PollExpired> Future for Bounded<F, E> {
    type Output = Result<T, Status>;

    fn poll(self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.future.poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.expiry.poll_expired(cx).map(Err),
        }
    }
}

trait PollExpired {
    fn poll_expired(&mut self, cx: &mut Poller<'_>) -> Poll<Status>;
}

impl PollExpired for Option<Expiry> {
    fn poll_expired(&mut self, cx: &mut Poller<'_>) -> Poll<Status> {
        self.as_mut()
            .map_or(Poll::Pending, |expiry| expiry.poll_expired(cx))
    }
}

impl PollExpired for &mut Expiry {
    fn poll_expired(&mut self, cx: &mut Poller<'_>) -> Poll<Status> {
        Expiry::poll_expired(self, cx)
    }
}
