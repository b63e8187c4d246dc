//! What a client is told.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

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
    /// It is the first list of a target, by its registry or from disk: who is new on it may have been there for long.
    pub is_first: bool,
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
        /// Why not, as it said last.
        fault: Fault,
    },
    /// Of several targets, some are live and others are not; those that have no list take nothing from the others'. What
    /// is known of each, its [`View`] says.
    Partial {
        /// Why the first of them that fails cannot be asked; `None` while none has failed, but one has not answered yet.
        fault: Option<Fault>,
    },
    /// It is what the registry says.
    Live,
}

/// What a client knows of one target, for people.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct View {
    /// The target.
    pub target: String,
    /// How far its list can be trusted.
    pub freshness: Freshness,
    /// When its registry last told anything. A registry that pushes says nothing while nothing changes; how old the list
    /// may be, [`Freshness::age`] says.
    pub told_at: Option<SystemTime>,
    /// How many instances the registry lists, those included that this client does not use.
    pub listed: usize,
    /// How many are held back.
    pub suspects: usize,
    /// Records that cannot be understood, the first 100 of them.
    pub refused: Vec<BadRecord>,
}

/// Shows what is known of a target to whoever looks on while another one waits in [`Follow::next`](super::Follow::next).
#[derive(Debug, Clone)]
pub struct Viewer(Arc<Mutex<View>>);

impl Viewer {
    pub(super) fn new(view: View) -> Self {
        Self(Arc::new(Mutex::new(view)))
    }

    /// What is known now; what was known last, once the target is not followed any more.
    pub fn view(&self) -> View {
        self.lock().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut View)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, View> {
        // Nothing that can panic happens while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// Of a target that is not followed yet.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            freshness: Freshness::Pending,
            told_at: None,
            listed: 0,
            suspects: 0,
            refused: Vec::new(),
        }
    }
}

/// One line: target, numbers, how fresh the list is, and why not.
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {} listed", self.target, self.listed)?;
        if self.suspects > 0 {
            write!(f, ", {} suspect", self.suspects)?;
        }
        if !self.refused.is_empty() {
            write!(f, ", {} refused", self.refused.len())?;
        }
        write!(f, "; {}", self.freshness)
    }
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
            Self::Partial { fault } => fault.as_ref(),
            Self::Pending | Self::Live => None,
        }
    }

    /// How old the list may be: nothing while it is live, the time since its registry was last heard or since it was saved
    /// else. `None` where there is no list, and for a [`Partial`](Self::Partial) one, whose parts differ.
    ///
    /// It is counted by the system's clock; one that was set back makes it too small.
    pub fn age(&self) -> Option<Duration> {
        let since = match self {
            Self::Live => return Some(Duration::ZERO),
            Self::Disk { saved_at, .. } => saved_at,
            Self::Stale { since, .. } => since,
            Self::Pending | Self::Unresolved(_) | Self::Partial { .. } => return None,
        };
        Some(SystemTime::now().duration_since(*since).unwrap_or_default())
    }
}

/// For people, with the reason.
impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = self.age().unwrap_or_default().as_secs();
        match self {
            Self::Pending => f.write_str("no answer yet"),
            Self::Unresolved(fault) => write!(f, "no list: {fault}"),
            Self::Disk { fault, .. } => write!(f, "from disk, saved {age} s ago: {fault}"),
            Self::Stale { fault, .. } => write!(f, "stale since {age} s: {fault}"),
            Self::Partial { fault: Some(fault) } => write!(f, "partly live: {fault}"),
            Self::Partial { fault: None } => f.write_str("partly live: some have not answered yet"),
            Self::Live => f.write_str("live"),
        }
    }
}
