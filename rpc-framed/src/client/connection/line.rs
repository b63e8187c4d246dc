//! The slots of a connection, and the calls that wait for one.
//!
//! A slot that is given back while calls wait is taken again for the first of them. If it only were told, whoever gave the slot
//! back would have it again before that one is polled, and a caller that goes on calling would have it for ever.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};

use rpc_core::transport::supervise::Supervised as _;
use tokio::sync::oneshot;

use super::Connection;

/// Calls that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Changes while it is locked.
    length: AtomicU32,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    /// The number of the next one that comes.
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<u32>>,
}

impl Line {
    /// How many wait.
    pub(super) fn length(&self) -> u32 {
        self.length.load(SeqCst)
    }

    /// Sends all away that wait.
    pub(super) fn send_away(&self) {
        let all = self.change(|calls| std::mem::take(&mut calls.waiting));
        drop(all);
    }

    fn change<R>(&self, change: impl FnOnce(&mut Calls) -> R) -> R {
        let mut calls: MutexGuard<'_, Calls> = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut calls);
        self.length.store(calls.waiting.len() as u32, SeqCst);
        changed
    }
}

/// The place of a call in the line. Dropped, it is given up, and so is a slot that was not seen yet.
struct Place<'c> {
    connection: &'c Connection,
    number: u64,
    slot: oneshot::Receiver<u32>,
}

impl<'c> Place<'c> {
    fn last(connection: &'c Connection) -> Self {
        let (sender, slot) = oneshot::channel();
        let number = connection.line.change(|calls| {
            let number = calls.next;
            calls.next += 1;
            calls.waiting.insert(number, sender);
            number
        });
        Self {
            connection,
            number,
            slot,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let left = self
            .connection
            .line
            .change(|calls| calls.waiting.remove(&self.number));
        if left.is_none() {
            self.slot.close();
            if let Ok(slot) = self.slot.try_recv() {
                self.connection.give_back(slot);
            }
        }
    }
}

impl Connection {
    /// Takes a slot; waits for one if there is none. `None` if the connection takes no calls any more, or another one has room.
    ///
    /// # Cancellation
    /// Dropping the future leaves the line.
    pub(crate) async fn slot(&self) -> Option<u32> {
        // One that has just been given back is for who waits already.
        let free = if self.line.length() == 0 {
            self.slab.take()
        } else {
            None
        };
        match free {
            Some(slot) => Some(slot),
            None => Box::pin(self.wait_for_slot()).await,
        }
    }

    #[cold]
    async fn wait_for_slot(&self) -> Option<u32> {
        let mut place = Place::last(self);
        self.life.note_crowded();
        // Nobody was told of one that was given back before the call was in line.
        self.serve_line();
        (&mut place.slot).await.ok()
    }

    /// Gives a slot back that nothing was sent from.
    pub(crate) fn give_back(&self, slot: u32) {
        self.free(slot);
        if self.line.length() > 0 {
            self.serve_line();
        }
    }

    /// Hands free slots to those that wait.
    #[cold]
    fn serve_line(&self) {
        loop {
            if !self.takes_calls() {
                return self.line.send_away();
            }
            let first = self.line.change(|calls| {
                let first = calls.waiting.first_entry()?;
                let slot = self.slab.take()?;
                Some((first.remove(), slot))
            });
            let Some((first, slot)) = first else { return };
            if let Err(slot) = first.send(slot) {
                // It has just been given up.
                self.free(slot);
            }
        }
    }

    fn free(&self, slot: u32) {
        if self.slab.give_back(slot) == 0 && !self.takes_calls() {
            self.alarm.ring();
        }
    }
}
