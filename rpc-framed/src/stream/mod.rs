//! Directions of a call that are more than one frame: streams, and messages that go in pieces. Both sides share it.

mod arrival;
mod credit;
mod pool;
mod pump;
mod receive;

use std::sync::Arc;

use bytes::Bytes;
use rpc_core::{Metadata, Status};

use self::pool::Grant;
pub(crate) use self::{
    arrival::{Arrival, Pushed},
    credit::{Credit, Credits},
    pool::Pool,
    pump::{Coding, Pump},
    receive::{End, Receiver, RequestStream},
};
use crate::{
    io::Outbox,
    wire::{CallId, metadata, preface::Settings},
};

/// What the calls of a connection share, on either side.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) outbox: Outbox,
    pub(crate) credits: Credits,
    pool: Pool,
    /// What the peer allows.
    pub(crate) peer: Settings,
    /// What we allow.
    pub(crate) max_message_bytes: usize,
    pub(crate) credit_bytes: u32,
    max_metadata_bytes: usize,
}

/// What a hub is made with.
#[allow(clippy::struct_field_names, reason = "they are named as the settings are")]
pub(crate) struct Limits {
    pub(crate) max_unwritten_bytes: usize,
    pub(crate) max_buffered_bytes: usize,
    pub(crate) max_message_bytes: usize,
    pub(crate) max_metadata_bytes: usize,
    pub(crate) credit_bytes: u32,
}

impl Hub {
    pub(crate) fn new(limits: &Limits, peer: Settings) -> Self {
        Self {
            outbox: Outbox::new(limits.max_unwritten_bytes),
            credits: Credits::default(),
            pool: Pool::new(limits.max_buffered_bytes),
            peer,
            max_message_bytes: limits.max_message_bytes,
            credit_bytes: limits.credit_bytes,
            max_metadata_bytes: limits.max_metadata_bytes,
        }
    }

    /// A place for the messages of a call.
    pub(crate) fn arrival(&self) -> Arc<Arrival> {
        Arc::new(Arrival::new(self.credit_bytes, self.max_message_bytes))
    }

    /// How much metadata may go in one frame: what both sides and the format allow.
    pub(crate) fn metadata_limit(&self) -> usize {
        (self.peer.max_metadata_bytes as usize)
            .min(self.max_metadata_bytes)
            .min(usize::from(u16::MAX))
    }

    /// Reads metadata that came.
    ///
    /// # Errors
    /// If it is of more than we allow, or malformed.
    pub(crate) fn read_metadata(&self, bytes: &[u8]) -> Result<Metadata, Status> {
        metadata::check(bytes.len(), self.max_metadata_bytes)?;
        metadata::read(bytes)
    }

    /// Does what a piece of a message leads to.
    pub(crate) fn pushed(&self, call: CallId, arrival: &Arc<Arrival>, pushed: &Pushed) {
        if pushed.settled {
            self.settle(call);
        }
        if pushed.ask == 0 {
            return;
        }
        if self.pool.ask(call, arrival, pushed.ask) {
            self.pay(call, arrival, pushed.ask);
        }
    }

    /// A message that needed the pool is complete, or given up.
    fn settle(&self, call: CallId) {
        let grants = self.pool.settle(call);
        self.serve(grants);
    }

    /// No more arrives for a call.
    pub(crate) fn end(&self, call: CallId, arrival: &Arrival, end: Result<Bytes, Status>) {
        if arrival.end(end) {
            self.settle(call);
        }
    }

    /// Nobody takes what arrives for a call any more.
    pub(crate) fn leave(&self, call: CallId, arrival: &Arrival) {
        let pooled = arrival.leave();
        self.settle(call);
        self.release(pooled);
    }

    /// Gives back what the pool paid for.
    fn release(&self, bytes: usize) {
        if bytes > 0 {
            let grants = self.pool.release(bytes);
            self.serve(grants);
        }
    }

    fn serve(&self, grants: Vec<Grant>) {
        for grant in grants {
            match grant.arrival.upgrade() {
                Some(arrival) => self.pay(grant.call, &arrival, grant.bytes),
                None => self.release(grant.bytes),
            }
        }
    }

    fn pay(&self, call: CallId, arrival: &Arrival, bytes: usize) {
        if arrival.paid(bytes) {
            self.outbox.with(|queue| queue.credit(call, bytes as u32));
        } else {
            self.release(bytes);
        }
    }
}

/// What a peer's end of a stream means if it comes as a failure of the connection.
pub(crate) fn lost(why: &str) -> Status {
    Status::unavailable(format!("the connection was lost: {why}"))
        .with_reason(rpc_core::status::reason::CONNECTION_LOST)
        .with_domain(rpc_core::status::reason::DOMAIN)
        .at_side(rpc_core::status::Side::Network)
}
