//! What crosses an erased edge: the future of one call.
//!
//! A trait object cannot return a future of its own type, so mostly that is a box. A transport that keeps what it waits for
//! in a table of its own needs none: it hands out a ticket, the place in that table.
//!
//! Keeping small futures in the returned value was tried and rejected: whoever passes such a value on copies all of its
//! room, twice an edge, which costs more than the box.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use crate::{BoxFuture, Reply, Status};

/// The future of one call, of a type that is forgotten.
///
/// # Cancellation
/// Dropping it gives the call up.
#[must_use = "futures do nothing unless polled"]
pub struct CallFuture<'a>(Inner<'a>);

enum Inner<'a> {
    Boxed(BoxFuture<'a, Result<Reply, Status>>),
    Ticket(Ticket),
}

/// Calls that were sent and are not answered yet, each known by a key.
pub trait Awaited: Send + Sync + 'static {
    /// The reply to a call. Whoever polls last is woken.
    fn poll_reply(&self, key: u64, cx: &mut Context<'_>) -> Poll<Result<Reply, Status>>;

    /// Nobody waits for the reply any more. Not told of a call whose reply was taken.
    fn give_up(&self, key: u64);
}

impl<'a> CallFuture<'a> {
    /// Of a future, which is boxed.
    pub fn new(future: impl Future<Output = Result<Reply, Status>> + Send + 'a) -> Self {
        Self(Inner::Boxed(Box::pin(future)))
    }

    /// Of a call that was sent; allocates nothing.
    pub fn awaited(calls: Arc<dyn Awaited>, key: u64) -> Self {
        Self(Inner::Ticket(Ticket {
            calls,
            key,
            is_open: true,
        }))
    }

    /// Of a result that is there.
    pub fn ready(result: Result<Reply, Status>) -> Self {
        Self::new(std::future::ready(result))
    }
}

impl Future for CallFuture<'_> {
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Inner::Boxed(future) => future.as_mut().poll(cx),
            Inner::Ticket(ticket) => {
                let reply = ticket.calls.poll_reply(ticket.key, cx);
                ticket.is_open = reply.is_pending();
                reply
            }
        }
    }
}

struct Ticket {
    calls: Arc<dyn Awaited>,
    key: u64,
    is_open: bool,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_open {
            self.calls.give_up(self.key);
        }
    }
}

impl fmt::Debug for CallFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<CallFuture<'static>>();
    // It is passed on by value.
    assert!(size_of::<CallFuture<'static>>() <= 4 * size_of::<usize>());
};
