//! How a call says that its endpoint has failed too often.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Wakes whoever looks after the endpoints. Calls that fail ring it; those that do not never touch it.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// From so many failures one after the other on.
    threshold: u32,
    /// It rang, and nobody has looked yet: many calls that fail at once wake him once.
    rung: AtomicBool,
    rang: Notify,
}

impl Alarm {
    pub(crate) fn new(threshold: u32) -> Self {
        Self {
            threshold: threshold.max(1),
            rung: AtomicBool::new(false),
            rang: Notify::new(),
        }
    }

    pub(super) fn ring_if(&self, consecutive: u32) {
        // The exchange makes the count of this call visible to who resets the flag after it.
        if consecutive >= self.threshold && !self.rung.swap(true, Ordering::AcqRel) {
            self.rang.notify_one();
        }
    }

    /// Waits until it rings.
    pub(crate) async fn rang(&self) {
        self.rang.notified().await;
    }

    /// From here on it may ring again. To be called before looking at the counts.
    pub(crate) fn reset(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }
}
