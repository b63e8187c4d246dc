//! What a client is told.

use std::{sync::Arc, time::SystemTime};

use crate::{BadRecord, Fault, Instance, InstanceId};

/// What has changed for a client. First `gone`, then `put`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// Instances that are new, or differ from what was told.
    pub put: Vec<Listed>,
    /// Instances that are gone.
    pub gone: Vec<InstanceId>,
    /// How far the list can be trusted now.
    pub freshness: Freshness,
}

/// An instance on a client's list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// The record.
    pub instance: Arc<Instance>,
    /// The registry does not list it any more, but never said that it would go: it is called if it is still connected,
    /// and dropped as soon as it cannot be connected to.
    pub suspect: bool,
}

/// How far a list can be trusted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Freshness {
    /// There is no list yet.
    #[default]
    Pending,
    /// There is no list, and asking for one failed.
    Unresolved(Fault),
    /// There is no list of this start: it was saved by an earlier one.
    Disk {
        /// When it was saved.
        saved_at: SystemTime,
        /// Why there is no newer one.
        fault: Fault,
    },
    /// The list was told, and the registry cannot be asked now.
    Stale {
        /// Since when.
        since: SystemTime,
        /// Why not.
        fault: Fault,
    },
    /// It is what the registry says.
    Live,
}

/// What a client knows of its target, for people.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct View {
    /// How far the list can be trusted.
    pub freshness: Freshness,
    /// How many instances the registry lists, those included that this client does not use.
    pub listed: usize,
    /// How many are held back.
    pub suspects: usize,
    /// Records that cannot be understood, the first 100 of them.
    pub refused: Vec<BadRecord>,
}

impl Freshness {
    /// True if there is a list, fresh or not.
    pub fn has_list(&self) -> bool {
        !matches!(self, Self::Pending | Self::Unresolved(_))
    }

    /// Why the registry cannot be asked, if it cannot.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Unresolved(fault) | Self::Disk { fault, .. } | Self::Stale { fault, .. } => Some(fault),
            Self::Pending | Self::Live => None,
        }
    }
}
