//! How a call says that its endpoint has failed too often.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, futures::Notified};

/// Wakes whoever looks after the endpoints. Calls that fail ring it; those that do not never touch it.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// At so many failures one after the other, and again at twice as many, and so on.
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

    /// There were so many failures one after the other.
    pub(super) fn count(&self, consecutive: u32) {
        // The exchange makes the count of this call visible to who resets the flag after it.
        if consecutive.is_multiple_of(self.threshold) && !self.rung.swap(true, Ordering::AcqRel) {
            self.rang.notify_one();
        }
    }

    /// Waits until it rings.
    pub(crate) fn rang(&self) -> Notified<'_> {
        self.rang.notified()
    }

    /// True if it rang, and nobody has looked yet.
    pub(crate) fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// From here on it may ring again. To be called before looking at the counts.
    pub(crate) fn reset(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn rings_once_until_somebody_looks() {
        let alarm = Alarm::new(5);
        let rang = || alarm.rang().now_or_never().is_some();
        (1..5).for_each(|count| alarm.count(count));
        assert!(!rang());
        alarm.count(5);
        alarm.count(10);
        assert!(rang());
        assert!(!rang(), "both were one");
        alarm.count(15);
        assert!(!rang(), "nobody has looked yet");
        alarm.reset();
        (16..20).for_each(|count| alarm.count(count));
        assert!(!rang());
        alarm.count(20);
        assert!(rang());
    }
}
