//! What the calls of one connection share.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use rpc_core::{
    Deadline, Status,
    context::{Caller, Expiry},
    server::Dispatch,
    status::reason,
    transport::connection::Alarm,
};

use super::ServerConfig;
use crate::{stream::Hub, wire::CallId};

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) config: Arc<ServerConfig>,
    pub(super) dispatch: Dispatch,
    pub(super) caller: Arc<Caller>,
    pub(super) hub: Arc<Hub>,
    pub(super) alarm: Alarm,
    calls: AtomicUsize,
    streams_end: AtomicBool,
    /// The task wants to know when fewer calls than this wait.
    awaits: AtomicUsize,
}

impl Conn {
    pub(super) fn new(config: Arc<ServerConfig>, dispatch: Dispatch, caller: Arc<Caller>, hub: Hub) -> Self {
        // An idle connection has a clock, which starts when the last call ends.
        let awaits = usize::from(config.max_connection_idle.is_some());
        Self {
            config,
            dispatch,
            caller,
            hub: Arc::new(hub),
            alarm: Alarm::new(),
            calls: AtomicUsize::new(0),
            streams_end: AtomicBool::new(false),
            awaits: AtomicUsize::new(awaits),
        }
    }

    /// How many calls wait, those that were cancelled and are being dropped included.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    /// From now on the alarm rings when fewer calls than this wait.
    pub(super) fn await_fewer_than(&self, calls: usize) {
        self.awaits.fetch_max(calls, SeqCst);
    }

    /// From now on streams are to end.
    pub(super) fn end_streams(&self) {
        self.streams_end.store(true, SeqCst);
    }

    /// Why a call that waits must end, if it must.
    pub(super) fn must_end(&self, deadline: Option<Deadline>, is_stream: bool) -> Option<Status> {
        if deadline.is_some_and(Deadline::has_passed) {
            return Some(Expiry::status());
        }
        (is_stream && self.streams_end.load(SeqCst)).then(draining)
    }

    /// Ends a call that failed.
    pub(super) fn fail(&self, call: Served, status: &Status) {
        let limit = self.hub.metadata_limit();
        self.hub.outbox.with(|queue| {
            if !queue.given_up.contains(&call.number) {
                queue.error(call.id, status, limit);
            }
        });
    }

    /// True if nobody waits for a call any more.
    pub(super) fn is_given_up(&self, call: Served) -> bool {
        self.hub.outbox.lock().given_up.contains(&call.number)
    }
}

/// Which of all the calls that the connection ever had. A handler that blocks its thread may outlive its call for so long that
/// its slot and generation come again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Served {
    pub(super) id: CallId,
    /// The how manyeth it is.
    pub(super) number: u64,
}

/// What streams end with that are open when the server stops.
fn draining() -> Status {
    Status::unavailable("the server is shutting down and ends its streams")
        .with_reason(reason::DRAINING)
        .with_domain(reason::DOMAIN)
}

/// A call that waits, and counts until this is dropped. One that is done on the spot is over before anybody could count it.
#[derive(Debug)]
pub(super) struct Ticket(Arc<Conn>);

impl Ticket {
    /// Of a call that has to wait.
    pub(super) fn new(conn: &Arc<Conn>) -> Self {
        conn.calls.fetch_add(1, SeqCst);
        Self(Arc::clone(conn))
    }
}

impl Deref for Ticket {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let left = self.0.calls.fetch_sub(1, SeqCst) - 1;
        if left < self.0.awaits.load(SeqCst) {
            self.0.alarm.ring();
        }
    }
}
