//! What a watch tells.

use crate::{Fault, Instance, InstanceId};

/// One thing that a watch tells of the instances of a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Update {
    /// All instances, in place of all that was told before.
    Snapshot(Vec<Instance>),
    /// What changed since. Comes only after a [`Snapshot`](Self::Snapshot) or [`Absent`](Self::Absent) of the same watch.
    Delta {
        /// New instances, and those whose record changed.
        put: Vec<Instance>,
        /// Instances that are gone.
        gone: Vec<InstanceId>,
    },
    /// The registry answers, and says that there is no instance.
    Absent,
    /// The registry cannot be asked now: what was told before is the best there is.
    Stale(Fault),
}
