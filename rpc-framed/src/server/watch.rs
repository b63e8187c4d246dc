//! The calls of a connection that wait: what the connection tells each of them.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::Waker,
};

use atomic_waker::AtomicWaker;
use rpc_core::{Deadline, Method, Status, status::reason, transport::connection};

use super::conn::Ticket;
use crate::{
    stream::{Arrival, Hub},
    wire::CallId,
};

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

/// What ends a call besides itself, and how its caller hears of it. Dropped without that, it fails the call: who was to run it
/// dropped it.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) watch: Arc<Watch>,
    pub(super) call: CallId,
    pub(super) ticket: Ticket,
    /// The method of a call that was not polled before it was handed over.
    unbegun: Option<Method>,
    /// It was polled since.
    polled: Cell<bool>,
    /// Nothing is left to be said of how it ended.
    is_over: bool,
    _requests: Option<Requests>,
}

impl Watched {
    /// Of a call that waits. `unbegun` is its method if it was not polled before.
    pub(super) fn new(
        watch: Arc<Watch>,
        call: CallId,
        ticket: Ticket,
        unbegun: Option<Method>,
        requests: Option<Requests>,
    ) -> Self {
        Self {
            watch,
            call,
            ticket,
            unbegun,
            polled: Cell::new(false),
            is_over: false,
            _requests: requests,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.is_over || self.watch.cancelled.load(SeqCst) {
            return;
        }
        let status = match &self.unbegun {
            Some(method) if !self.polled.get() => dropped().at_method(method).not_processed(),
            _ => dropped(),
        };
        self.ticket.fail(self.call, &status);
    }
}

/// The requests of a call that stream. A handler may read them in a task that outlives the call; dropped with the call, this
/// ends them there.
#[derive(Debug)]
pub(super) struct Requests {
    hub: Arc<Hub>,
    call: CallId,
    arrival: Arc<Arrival>,
}

impl Requests {
    pub(super) fn new(hub: &Arc<Hub>, call: CallId, arrival: Arc<Arrival>) -> Self {
        let hub = Arc::clone(hub);
        Self { hub, call, arrival }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.hub.end(self.call, &self.arrival, Err(over()));
    }
}

/// Why the connection ends a call.
pub(super) enum End {
    /// The caller wants no answer any more.
    Cancelled,
    Failed(Status),
}

impl connection::Watch for Watched {
    type End = End;

    fn check(&self, waker: &Waker) -> Option<End> {
        let watch = &*self.watch;
        watch.waker.register(waker);
        if watch.cancelled.load(SeqCst) {
            return Some(End::Cancelled);
        }
        self.polled.set(true);
        self.ticket
            .must_end(watch.deadline, watch.is_stream)
            .map(End::Failed)
    }

    fn ended(mut self, end: End) {
        self.is_over = true;
        if let End::Failed(status) = end {
            self.ticket.fail(self.call, &status);
        }
    }

    fn panicked(mut self) {
        self.is_over = true;
        self.ticket.fail(self.call, &panicked());
    }

    fn finished(mut self) {
        self.is_over = true;
    }
}

/// What a request stream ends with whose call ended before it: it is not known to be complete.
fn over() -> Status {
    Status::cancelled("the call that this stream belongs to is over")
        .with_reason(reason::CALLER_GONE)
        .with_domain(reason::DOMAIN)
}

/// What a call ends with that nobody runs any more.
fn dropped() -> Status {
    Status::unavailable("what runs the server's handlers dropped the call")
        .with_reason(reason::HANDLER_DROPPED)
        .with_domain(reason::DOMAIN)
}

/// What a call ends with that panicked outside of its handler.
pub(super) fn panicked() -> Status {
    Status::internal("the call panicked")
        .with_reason(reason::HANDLER_PANICKED)
        .with_domain(reason::DOMAIN)
}
