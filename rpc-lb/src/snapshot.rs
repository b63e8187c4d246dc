//! All endpoints at one moment, as calls read them.

use std::{fmt, sync::Arc};

use rpc_core::Status;
use rpc_registry::Freshness;

use crate::Endpoint;

/// The endpoints of a target at one moment. Immutable: a change makes another one.
///
/// The endpoints that can be called now stand in a list of their own, so that choosing among them is an index and not a
/// search, however many of the others there are.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Snapshot {
    pub(crate) ready: Vec<Arc<Endpoint>>,
    pub(crate) counts: Counts,
    /// How far the list of instances can be trusted.
    pub(crate) freshness: Freshness,
    /// One of several targets has not answered yet.
    pub(crate) awaited: bool,
    /// Why the last attempt to connect to one of the endpoints failed.
    pub(crate) last_error: Option<Status>,
    pub(crate) closed: bool,
}

/// How many endpoints there are, by what they can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Connected and up.
    pub ready: usize,
    /// Up, and a connection is being made.
    pub connecting: usize,
    /// Up, without a connection and without an attempt to make one.
    pub idle: usize,
    /// Up, but the last attempt to connect failed.
    pub failing: usize,
    /// Draining or disabled: they get no calls.
    pub off: usize,
    /// Connected and up, but the registry does not list them any more. They count as ready as well where calls go to them.
    pub suspect: usize,
    /// Without an address for the protocol that this client speaks.
    pub foreign: usize,
}

impl Snapshot {
    /// The endpoints that can be called now.
    pub fn ready(&self) -> &[Arc<Endpoint>] {
        &self.ready
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// True once there is a list of instances, be it one that an earlier start has kept.
    pub fn is_listed(&self) -> bool {
        self.freshness.has_list()
    }

    /// How far the list of instances can be trusted: whether it is live, and since when or from when it is if not. Of
    /// several targets, [`Endpoints::discovery`](crate::Endpoints::discovery) says it of each.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// True if an endpoint may become ready without anybody doing anything: waiting makes sense.
    pub(crate) fn is_hopeful(&self) -> bool {
        let unanswered = self.awaited || matches!(self.freshness, Freshness::Pending);
        unanswered || self.counts.connecting + self.counts.idle > 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.ready, "ready"),
            (self.connecting, "connecting"),
            (self.idle, "idle"),
            (self.failing, "failing"),
            (self.off, "draining or disabled"),
            (self.suspect, "suspect"),
            (self.foreign, "of another protocol"),
        ];
        let mut any = false;
        for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{}{count} {kind}", if any { ", " } else { "" })?;
            any = true;
        }
        if any { Ok(()) } else { f.write_str("none") }
    }
}
