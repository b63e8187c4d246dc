//! The calls of a connection that are more than one poll: by their slots, which the client chose. Only the task has it.

use std::sync::Arc;

use rpc_core::{
    Status,
    status::{Side, reason},
};
use tokio::time::Instant;

use super::watch::Watch;
use crate::{
    stream::{Arrival, Hub},
    wire::CallId,
};

/// By slot. As long as the highest slot that was needed.
#[derive(Debug, Default)]
pub(super) struct Calls {
    entries: Vec<Entry>,
    earliest: Option<Instant>,
}

#[derive(Debug, Default)]
struct Entry {
    generation: u16,
    watch: Option<Arc<Watch>>,
    arrival: Option<Arc<Arrival>>,
}

impl Calls {
    /// The slot is used again: whatever was there is over for the client.
    pub(super) fn renew(&mut self, call: CallId, hub: &Hub) {
        if let Some(entry) = self.entries.get_mut(call.slot as usize) {
            entry.end(call.slot, hub);
        }
    }

    /// A place where messages of a call arrive.
    pub(super) fn expect(&mut self, call: CallId, arrival: Arc<Arrival>) {
        self.entry(call).arrival = Some(arrival);
    }

    /// A call waits.
    pub(super) fn watch(&mut self, call: CallId, watch: Arc<Watch>) {
        if let Some(deadline) = watch.deadline {
            let at = deadline.instant();
            self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        }
        self.entry(call).watch = Some(watch);
    }

    /// Where messages of a call arrive, if they are still wanted.
    pub(super) fn arrival(&self, call: CallId) -> Option<&Arc<Arrival>> {
        self.find(call)?.arrival.as_ref()
    }

    /// No more messages come for a call.
    pub(super) fn close(&mut self, call: CallId) -> Option<Arc<Arrival>> {
        let entry = self.entries.get_mut(call.slot as usize)?;
        if entry.generation != call.generation {
            return None;
        }
        entry.arrival.take()
    }

    /// The client gives a call up; false if there is none such.
    pub(super) fn cancel(&mut self, call: CallId, hub: &Hub) -> bool {
        match self.entries.get_mut(call.slot as usize) {
            Some(entry) if entry.generation == call.generation => entry.end(call.slot, hub),
            _ => false,
        }
    }

    /// Gives all up.
    pub(super) fn cancel_all(&mut self, hub: &Hub) {
        for (slot, entry) in (0..).zip(&mut self.entries) {
            entry.end(slot, hub);
        }
    }

    /// When to call [`expire`](Self::expire) next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Wakes the calls whose deadline passed, and forgets those that are done.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        self.earliest = None;
        for entry in &mut self.entries {
            let Some(watch) = &entry.watch else { continue };
            if Arc::strong_count(watch) == 1 {
                // It was the last that knew of the call.
                entry.watch = None;
                continue;
            }
            let Some(deadline) = watch.deadline else { continue };
            let at = deadline.instant();
            if at <= now {
                watch.wake();
            } else {
                self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
            }
        }
    }

    /// Has the calls that stream look at the phase of the server's stop.
    pub(super) fn wake_streams(&self) {
        let watches = self.entries.iter().filter_map(|entry| entry.watch.as_ref());
        for watch in watches.filter(|watch| watch.is_stream) {
            watch.wake();
        }
    }

    /// Gives memory back while there is no call.
    pub(super) fn trim(&mut self, hub: &Hub) {
        // None is open, as each was ended with its call: but nobody could end it any more.
        self.cancel_all(hub);
        self.entries = Vec::new();
        self.earliest = None;
    }

    fn entry(&mut self, call: CallId) -> &mut Entry {
        let slot = call.slot as usize;
        if slot >= self.entries.len() {
            self.entries.resize_with(slot + 1, Entry::default);
        }
        let entry = &mut self.entries[slot];
        entry.generation = call.generation;
        entry
    }

    fn find(&self, call: CallId) -> Option<&Entry> {
        self.entries
            .get(call.slot as usize)
            .filter(|entry| entry.generation == call.generation)
    }
}

impl Entry {
    /// True if there was something to end.
    fn end(&mut self, slot: u32, hub: &Hub) -> bool {
        let arrival = self.arrival.take();
        let watch = self.watch.take();
        if let Some(arrival) = &arrival {
            let generation = self.generation;
            hub.end(CallId { slot, generation }, arrival, Err(caller_gone()));
        }
        if let Some(watch) = &watch {
            watch.cancel(&hub.outbox);
        }
        arrival.is_some() || watch.is_some()
    }
}

/// What a request stream ends with whose caller went away: half an upload is no whole one.
fn caller_gone() -> Status {
    Status::cancelled("the caller went away before the stream was complete")
        .with_reason(reason::CALLER_GONE)
        .with_domain(reason::DOMAIN)
        .at_side(Side::Client)
}
