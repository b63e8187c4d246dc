//! Which values of `grpc-timeout` both ends keep in their header tables.
//!
//! A value that they keep is one byte, which is neither coded nor checked again. But a sender goes through all that it has entered
//! under a name, each time, and what is new drives out what is old. So a value is entered once it was sent twice in a row, and of
//! values that differ all the time, as where a deadline came from elsewhere, few are.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::wire::timeout::Timeout;

/// How many values are known as entered, and how many are entered at first.
const KNOWN: usize = 8;

/// Each time that so many were sent that are not known, another one may be entered: what a connection says by now may be other than
/// what it said at first. And its name is then an index of one byte again, where other headers have driven out all of them.
const ENTER_EVERY: u32 = 65_536;

/// The values of a connection. Calls that ask at once may enter one more, or one twice: that costs a few bytes, and nothing relies
/// on it.
#[derive(Debug, Default)]
pub(crate) struct Timeouts {
    /// The keys of those that were entered last; zero where there is none.
    known: [AtomicU64; KNOWN],
    /// How many were entered.
    entered: AtomicU32,
    /// The key of the last one that was not known.
    last: AtomicU64,
    /// How many were not known.
    unknown: AtomicU32,
}

impl Timeouts {
    /// True if both ends are to keep this one, which is sent next.
    pub(crate) fn keeps(&self, timeout: Timeout) -> bool {
        let key = timeout.key();
        // Nothing is written that all calls share where they all say the same.
        if self.known.iter().any(|known| known.load(Relaxed) == key) {
            return true;
        }
        let before = self.unknown.fetch_add(1, Relaxed);
        let may_enter = if self.last.load(Relaxed) == key {
            self.entered.load(Relaxed) < KNOWN as u32 + before / ENTER_EVERY
        } else {
            self.last.store(key, Relaxed);
            // For its name.
            before == 0
        };
        if may_enter {
            let entered = self.entered.fetch_add(1, Relaxed);
            self.known[entered as usize % KNOWN].store(key, Relaxed);
        }
        may_enter
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn micros(micros: u64) -> Timeout {
        Timeout::of(Duration::from_micros(micros))
    }

    #[test]
    fn what_comes_again_is_kept_and_what_changes_is_not() {
        let timeouts = Timeouts::default();
        assert!(timeouts.keeps(micros(7)), "for its name");
        assert!(!timeouts.keeps(micros(8)));
        assert!(timeouts.keeps(micros(8)));
        assert!(timeouts.keeps(micros(7)), "it is there still");
        assert!(timeouts.keeps(micros(8)));
    }

    #[test]
    fn of_values_that_change_all_the_time_few_are_kept() {
        let timeouts = Timeouts::default();
        // Each twice, and never again for a long time.
        let kept = |values: std::ops::Range<u64>| {
            let twice = values.flat_map(|n| [n, n]);
            twice.filter(|n| timeouts.keeps(micros(*n))).count()
        };
        // The first one is kept both times.
        assert_eq!(kept(0..900), KNOWN + 1);
        for _ in 0..u64::from(ENTER_EVERY) / 1_800 - 1 {
            assert_eq!(kept(100..1_000), 0);
        }
        assert_eq!(kept(100..1_000), 1);
    }

    #[test]
    fn what_all_say_in_the_end_is_kept_in_the_end() {
        let timeouts = Timeouts::default();
        for n in (0..2 * KNOWN as u64).flat_map(|n| [n, n]) {
            timeouts.keeps(micros(n));
        }
        let kept = (0..2 * ENTER_EVERY).find(|_| timeouts.keeps(micros(900)));
        assert!(
            kept.is_some_and(|calls| (1..=ENTER_EVERY).contains(&calls)),
            "{kept:?}"
        );
        assert!(timeouts.keeps(micros(900)));
    }
}
