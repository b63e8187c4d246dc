//! What the calls of one connection share.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rpc_core::{
    Deadline, Status,
    context::{Caller, Expiry},
    server::Dispatch,
    status::reason,
    transport::connection::Alarm,
};

use super::{ServerConfig, face::Face};

/// What the calls of one connection share.
pub(super) struct Conn {
    pub(super) config: Arc<ServerConfig>,
    pub(super) dispatch: Dispatch,
    pub(super) caller: Arc<Caller>,
    pub(super) face: Option<Arc<Face>>,
    pub(super) alarm: Alarm,
    calls: AtomicUsize,
    streams_end: AtomicBool,
    /// The connection waits for its last call.
    awaits_end: AtomicBool,
}

impl Conn {
    pub(super) fn new(
        config: Arc<ServerConfig>,
        dispatch: Dispatch,
        caller: Arc<Caller>,
        face: Option<Arc<Face>>,
    ) -> Self {
        // An idle connection has a clock, which starts when the last call ends.
        let awaits_end = config.max_connection_idle.is_some();
        Self {
            config,
            dispatch,
            caller,
            face,
            alarm: Alarm::new(),
            calls: AtomicUsize::new(0),
            streams_end: AtomicBool::new(false),
            awaits_end: AtomicBool::new(awaits_end),
        }
    }

    /// How many calls are under way.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Acquire)
    }

    /// True if so many calls are under way that no other is taken: `max_concurrent_streams`, and `max_pending_resets` that
    /// were given up and have yet to notice it.
    pub(super) fn is_full(&self) -> bool {
        let most = self.config.max_concurrent_streams as usize;
        self.calls() >= most.saturating_add(self.config.max_pending_resets)
    }

    /// From now on the alarm rings when the last call ends.
    pub(super) fn await_end(&self) {
        self.awaits_end.store(true, Ordering::Release);
    }

    /// From now on streams are to end.
    pub(super) fn end_streams(&self) {
        self.streams_end.store(true, Ordering::Release);
    }

    /// Why a call that waits must end, if it must.
    pub(super) fn must_end(&self, deadline: Option<Deadline>, is_stream: bool) -> Option<Status> {
        if deadline.is_some_and(Deadline::has_passed) {
            return Some(Expiry::status());
        }
        if is_stream && self.streams_end.load(Ordering::Acquire) {
            return Some(draining());
        }
        None
    }
}

/// What streams end with that are open when the server stops.
fn draining() -> Status {
    Status::unavailable("the server is shutting down and ends its streams")
        .with_reason(reason::DRAINING)
        .with_domain(reason::DOMAIN)
}

/// A call under way.
pub(super) struct Ticket(Arc<Conn>);

impl Ticket {
    /// Of a call that begins.
    pub(super) fn new(conn: &Arc<Conn>) -> Self {
        conn.calls.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(conn))
    }

    /// The connection, for who may outlive the call.
    pub(super) fn conn(&self) -> &Arc<Conn> {
        &self.0
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
        let left = self.0.calls.fetch_sub(1, Ordering::AcqRel) - 1;
        if left == 0 && self.0.awaits_end.load(Ordering::Acquire) {
            self.0.alarm.ring();
        }
    }
}
