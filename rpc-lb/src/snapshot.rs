//! All endpoints at one moment, as calls read them.

use std::{fmt, sync::Arc};

use rpc_core::Status;
use rpc_registry::Fault;

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
    /// True once the resolver has said which instances there are.
    pub(crate) listed: bool,
    /// Why the resolver cannot say more, if it cannot.
    pub(crate) fault: Option<Fault>,
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

    /// True once the resolver has said which instances there are.
    pub fn is_listed(&self) -> bool {
        self.listed
    }

    /// True if an endpoint may become ready without anybody doing anything: waiting makes sense.
    pub(crate) fn is_hopeful(&self) -> bool {
        let unanswered = !self.listed && self.fault.is_none();
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
