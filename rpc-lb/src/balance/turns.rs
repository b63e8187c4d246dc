//! Whose turn it is.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::draws::GOLDEN;

/// Where lists begin to take turns. Each goes on by itself: a client whose calls alternate between two lists, by a lane or a
/// rule, would give half of the endpoints of each nothing if both counted as one.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<AtomicU64>);

impl Turns {
    /// The first list that is called begins at a certain turn.
    pub(super) fn starting_at(turn: u64) -> Self {
        Self(Arc::new(AtomicU64::new(turn)))
    }

    /// Those of another list.
    pub(super) fn of_a_list(&self) -> Turn {
        Turn {
            from: self.clone(),
            next: OnceLock::new(),
        }
    }
}

/// The turns of a list. Where it begins is decided with its first call, elsewhere than the one before it: the first ones of a
/// list that changes often do not get all. Lists that nobody calls change nothing.
#[derive(Debug)]
pub(super) struct Turn {
    from: Turns,
    next: OnceLock<AtomicU64>,
}

impl Turn {
    /// The next one.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        let begin = || AtomicU64::new(self.from.0.fetch_add(GOLDEN, Ordering::Relaxed));
        self.next.get_or_init(begin).fetch_add(1, Ordering::Relaxed)
    }
}
