//! What a watch tells.

use crate::{Fault, Instance, InstanceId};

/// One record of a registry: understood, or not. The bad ones travel among the good ones, so that they can be counted and
/// shown and hide nobody.
pub type Record = Result<Instance, BadRecord>;

/// One thing that a watch tells of the instances of a name.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Update {
    /// All instances, in place of all that was told before. An empty one is [`Absent`](Self::Absent).
    Snapshot(Vec<Record>),
    /// What changed since. Comes only after a [`Snapshot`](Self::Snapshot) or [`Absent`](Self::Absent) of the same watch.
    Delta {
        /// New instances, and those whose record changed. Later ones of the same id win.
        put: Vec<Record>,
        /// Instances that are gone. What is in both was there, went and came back.
        gone: Vec<InstanceId>,
    },
    /// The registry answers, and says that there is no instance.
    Absent,
    /// The registry answers, but cannot be trusted now: what was told before is the best there is. A fault that
    /// [`Watch::next`](crate::Watch::next) fails with means the same.
    Stale(Fault),
}

/// The instance that a record is of.
pub(crate) fn id_of(record: &Record) -> &InstanceId {
    match record {
        Ok(instance) => &instance.id,
        Err(bad) => &bad.id,
    }
}

/// A record that cannot be understood. The last good one of the same id stays in force.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BadRecord {
    /// The instance that it is of, as far as its place in the registry tells; the key otherwise.
    pub id: InstanceId,
    /// What is wrong with it, with the name of the field.
    pub fault: Fault,
}

impl BadRecord {
    /// A record of an instance, and what is wrong with it.
    pub fn new(id: impl Into<InstanceId>, fault: Fault) -> Self {
        Self { id: id.into(), fault }
    }
}
