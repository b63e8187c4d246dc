//! What others want of the task.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::{Notify, futures::Notified};

/// Something that the task is to do.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Order {
    /// Calls are being made: look after the endpoints, and connect what is idle.
    Tend = 1,
    /// A call waits: connect what is idle.
    Connect = 2,
    /// No more calls are made.
    Close = 4,
}

/// Orders that were given and not taken yet; the same one twice is one.
#[derive(Debug)]
pub(super) struct Orders {
    given: AtomicU8,
    news: Notify,
}

/// Orders that were taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken(u8);

impl Orders {
    pub(super) fn new() -> Self {
        Self {
            given: AtomicU8::new(0),
            news: Notify::new(),
        }
    }

    pub(super) fn give(&self, order: Order) {
        self.given.fetch_or(order as u8, Ordering::AcqRel);
        self.news.notify_one();
    }

    /// Waits until some were given. They may have been taken with those before them: then there are none.
    ///
    /// # Cancellation
    /// Dropping the future loses none.
    pub(super) fn given(&self) -> Notified<'_> {
        self.news.notified()
    }

    pub(super) fn take(&self) -> Taken {
        Taken(self.given.swap(0, Ordering::AcqRel))
    }
}

impl Taken {
    pub(super) fn has(self, order: Order) -> bool {
        self.0 & order as u8 != 0
    }
}
