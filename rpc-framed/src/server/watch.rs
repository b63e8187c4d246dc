//! The calls of a connection that wait: what the connection tells each of them.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    task::Waker,
};

use atomic_waker::AtomicWaker;
use rpc_core::{Deadline, Method, Status, status::reason, transport::connection};

use super::conn::{Served, Ticket};
use crate::{
    io::Outbox,
    stream::{Arrival, Hub},
    wire::CallId,
};

/// How a call that waits is doing.
const RUNS: u8 = 0;
const GIVEN_UP: u8 = 1;
const OVER: u8 = 2;

/// What the connection tells a call that waits.
#[derive(Debug)]
pub(super) struct Watch {
    waker: AtomicWaker,
    state: AtomicU8,
    number: u64,
    pub(super) deadline: Option<Deadline>,
    pub(super) is_stream: bool,
}

impl Watch {
    pub(super) fn new(number: u64, deadline: Option<Deadline>, is_stream: bool) -> Self {
        Self {
            waker: AtomicWaker::new(),
            state: AtomicU8::new(RUNS),
            number,
            deadline,
            is_stream,
        }
    }

    /// The caller wants no answer any more.
    pub(super) fn cancel(&self, outbox: &Outbox) {
        if self.state.load(SeqCst) == RUNS {
            // Changed while the queue is held: a call that finds itself given up when it is over finds its number there.
            let mut queue = outbox.lock();
            let runs = self.state.compare_exchange(RUNS, GIVEN_UP, SeqCst, SeqCst);
            if runs.is_ok() {
                queue.given_up.insert(self.number);
            }
        }
        self.waker.wake();
    }

    fn is_given_up(&self) -> bool {
        self.state.load(SeqCst) == GIVEN_UP
    }

    /// Nothing of the call is left. True if it was given up before.
    fn leave(&self, outbox: &Outbox) -> bool {
        let was_given_up = self.state.swap(OVER, SeqCst) == GIVEN_UP;
        if was_given_up {
            outbox.lock().given_up.remove(&self.number);
        }
        was_given_up
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
    pub(super) served: Served,
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
        served: Served,
        ticket: Ticket,
        unbegun: Option<Method>,
        requests: Option<Requests>,
    ) -> Self {
        Self {
            watch,
            served,
            ticket,
            unbegun,
            polled: Cell::new(false),
            is_over: false,
            _requests: requests,
        }
    }

    /// A status that the call ends with, marked if it was not begun.
    fn marked(&self, status: Status) -> Status {
        match &self.unbegun {
            Some(method) if !self.polled.get() => status.at_method(method).not_processed(),
            _ => status,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.watch.leave(&self.ticket.hub.outbox) || self.is_over {
            return;
        }
        self.ticket.fail(self.served, &self.marked(dropped()));
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
        if watch.is_given_up() {
            return Some(End::Cancelled);
        }
        let end = self.ticket.must_end(watch.deadline, watch.is_stream);
        if end.is_none() {
            self.polled.set(true);
        }
        end.map(End::Failed)
    }

    fn ended(mut self, end: End) {
        self.is_over = true;
        if let End::Failed(status) = end {
            self.ticket.fail(self.served, &self.marked(status));
        }
    }

    fn panicked(mut self) {
        self.is_over = true;
        self.ticket.fail(self.served, &panicked());
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
