//! Which values of `grpc-timeout` both ends keep in their header tables.
//!
//! A value that they keep is one byte, which is neither coded nor checked again. But the tables are small, looked through for each
//! call, and what is new drives out what is old. So a value is entered if the one before was the same.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::wire::timeout::Timeout;

/// The first value of a connection is entered, and every so manyeth: then at least its name is an index of one byte, in place of
/// twelve. Other headers may drive the entry out, hence not the first one alone.
const REMIND_EVERY: u32 = 1024;

/// The values of a connection.
#[derive(Debug, Default)]
pub(crate) struct Timeouts {
    /// The last one's key; zero before the first one.
    last: AtomicU64,
    /// How many differed from the one before.
    changes: AtomicU32,
}

impl Timeouts {
    /// True if both ends are to enter this one, which is sent next.
    pub(crate) fn remembers(&self, timeout: Timeout) -> bool {
        let key = timeout.key();
        // Nothing is written that all calls would share where they all say the same.
        if self.last.load(Relaxed) == key {
            return true;
        }
        self.last.store(key, Relaxed);
        self.changes.fetch_add(1, Relaxed).is_multiple_of(REMIND_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn millis(millis: u64) -> Timeout {
        Timeout::of(Duration::from_millis(millis))
    }

    #[test]
    fn what_comes_again_is_remembered_and_what_changes_is_not() {
        let timeouts = Timeouts::default();
        assert!(timeouts.remembers(millis(7)), "for its name");
        assert!(timeouts.remembers(millis(7)));
        assert!(!timeouts.remembers(millis(8)));
        assert!(timeouts.remembers(millis(8)));
        assert!(!timeouts.remembers(millis(7)));
    }

    #[test]
    fn the_name_is_said_again_now_and_then() {
        let timeouts = Timeouts::default();
        let remembered = (0..3 * u64::from(REMIND_EVERY)).filter(|n| timeouts.remembers(millis(1 + n % 2)));
        assert_eq!(remembered.count(), 3);
    }
}
