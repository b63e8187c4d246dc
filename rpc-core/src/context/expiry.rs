//! A deadline that wakes whoever waits, at no cost while nobody does.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

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
        Self { deadline, timer: None }
    }

    /// Ready with the status of a call whose deadline passed.
    pub fn poll_expired(&mut self, cx: &mut Poller<'_>) -> Poll<Status> {
        let timer =
            self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(self.deadline.instant())));
        timer.as_mut().poll(cx).map(|()| Self::status())
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
/// # Errors
/// DEADLINE_EXCEEDED once the deadline passed; the future is dropped then.
pub async fn until<T>(
    deadline: Option<Deadline>,
    future: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let Some(deadline) = deadline else { return future.await };
    if deadline.has_passed() {
        return Err(Expiry::status());
    }
    let mut expiry = Expiry::new(deadline);
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result),
        Poll::Pending => expiry.poll_expired(cx).map(Err),
    })
    .await
}
