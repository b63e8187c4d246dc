//! Whose turn it is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::draws::GOLDEN;

/// Where lists begin to take turns. Each goes on by itself: a client whose calls alternate between two lists, by a lane or a
/// rule, would give half of the endpoints of each nothing if both counted as one.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<AtomicU64>);

impl Turns {
    /// The first list begins at a certain turn.
    pub(super) fn starting_at(turn: u64) -> Self {
        Self(Arc::new(AtomicU64::new(turn)))
    }

    /// Those of another list, from elsewhere on: the first ones of a list that changes often do not get all.
    pub(super) fn of_a_list(&self) -> Turn {
        Turn(AtomicU64::new(self.0.fetch_add(GOLDEN, Ordering::Relaxed)))
    }
}

/// The turns of a list.
#[derive(Debug)]
pub(super) struct Turn(AtomicU64);

impl Turn {
    /// The next one.
    #[inline]
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
