//! What can be said of following a target.

use std::{sync::Arc, time::Duration};

use super::{DiskCache, Narrow};
use crate::Filter;

/// How a target is followed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FollowConfig {
    /// Which instances are seen. Default: those of the default group.
    pub filter: Filter,
    /// What is made of instances that vanish without having said so.
    pub hold_back: HoldBack,
    /// Where the last list is kept for the next start. Default: nowhere.
    pub cache: Option<DiskCache>,
    /// Chooses the part of each lane of a large fleet that this client uses. Default: all of it.
    pub narrow: Option<Arc<dyn Narrow>>,
    /// How long the first answer of the registry may take until a list from disk is used, or calls fail. Default: 5 s.
    pub first_answer: Duration,
    /// The least time between two changes: what comes in between is told together. Default: 20 ms.
    pub settle: Duration,
    /// Makes the pauses repeatable. Default: drawn anew each time.
    pub seed: Option<u64>,
}

/// What is made of instances that vanish without having said so ("self-protection"; Netflix's Eureka has it on the
/// registry's side, where it does not help against a registry that comes back empty).
///
/// A registry that restarts, loses its data or is cut off from its providers tells of a mass death that never was. When
/// more than [`more_than`](Self::more_than) instances and more than [`share`](Self::share) of all vanish within
/// [`window`](Self::window), without the `draining` mark of an announced withdrawal and without as many new ones, they
/// stay as *suspects*: calls go to the others first, and to suspects only while they are connected. A suspect that cannot
/// be connected to is dropped at once; the rest when [`protection`](Self::protection) has passed.
///
/// So instances that are alive keep their calls, dead ones are gone as soon as connecting fails, and a list that really
/// has shrunk is taken on in the end. A rolling restart is never held back: its instances are marked first, or replaced.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HoldBack {
    /// So many may always vanish. Default: 1.
    pub more_than: usize,
    /// This part of all may always vanish, 0 to 1. Default: 0.15. With 1, nothing is held back but an empty list.
    pub share: f64,
    /// What vanishes within this time is counted together. Default: 60 s.
    pub window: Duration,
    /// How long suspects stay at most. Default: 5 minutes.
    pub protection: Duration,
    /// How long the last instances stay when a list becomes empty, however few they were. Default: 60 s. Zero takes an
    /// empty list on at once, [`Duration::MAX`] never.
    pub empty: Duration,
    /// An instance that vanished and came back within [`window`](Self::window) is flapping; when it vanishes again it
    /// stays this long, with its connection. Default: 10 s.
    pub flapping: Duration,
}

impl Default for FollowConfig {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            hold_back: HoldBack::default(),
            cache: None,
            narrow: None,
            first_answer: Duration::from_secs(5),
            settle: Duration::from_millis(20),
            seed: None,
        }
    }
}

impl Default for HoldBack {
    fn default() -> Self {
        Self {
            more_than: 1,
            share: 0.15,
            window: Duration::from_mins(1),
            protection: Duration::from_mins(5),
            empty: Duration::from_mins(1),
            flapping: Duration::from_secs(10),
        }
    }
}

impl HoldBack {
    /// Believes whatever the registry says.
    pub fn off() -> Self {
        Self {
            more_than: usize::MAX,
            share: 1.0,
            empty: Duration::ZERO,
            flapping: Duration::ZERO,
            ..Self::default()
        }
    }
}
