//! Whose turn it is.

use super::sync::{AtomicU64, Ordering};

/// Says of which turn the counts are that stand beside it, and lets exactly one thread clear them for another.
///
/// Twice the turn, counted from 1; odd while somebody clears. A reader who sees the turn that it asks for sees counts that
/// were cleared for it.
#[derive(Debug)]
pub(crate) struct Half(AtomicU64);

impl Half {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// True if the counts are of this turn. If they are of an older one they are cleared first, by this thread or, and then
    /// it is not true yet, by another.
    #[inline]
    pub(crate) fn enter(&self, turn: u64, clear: impl FnOnce()) -> bool {
        let wanted = word(turn);
        let found = self.0.load(Ordering::Acquire);
        if found == wanted {
            return true;
        }
        self.turn(found, wanted, clear)
    }

    #[cold]
    fn turn(&self, found: u64, wanted: u64, clear: impl FnOnce()) -> bool {
        // A late one is of no interest; and who clears, clears alone.
        if found > wanted || found % 2 == 1 {
            return false;
        }
        let claim = self
            .0
            .compare_exchange(found, wanted - 1, Ordering::Acquire, Ordering::Relaxed);
        if claim.is_err() {
            return false;
        }
        clear();
        self.0.store(wanted, Ordering::Release);
        true
    }

    /// True if the counts are of this turn.
    pub(crate) fn is_of(&self, turn: u64) -> bool {
        self.0.load(Ordering::Acquire) == word(turn)
    }
}

/// Even, and never 0.
fn word(turn: u64) -> u64 {
    (turn + 1) * 2
}
