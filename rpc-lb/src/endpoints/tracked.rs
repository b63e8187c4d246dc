//! One endpoint, as the task sees it.

use std::sync::Arc;

use rpc_core::transport::LinkState;
use rpc_registry::{InstanceId, InstanceState};

use super::watches::Stop;
use crate::{Endpoint, Near, health::Said, snapshot::Absent};

/// An endpoint, and what the task knows of it.
pub(super) struct Tracked {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) protocol: &'static str,
    pub(super) state: LinkState,
    /// Which beat it was when the link last became ready.
    pub(super) ready_at: u64,
    /// The registry does not list it any more: it must be connected to be called.
    pub(super) suspect: bool,
    /// It was on the first list of its target.
    pub(super) first: bool,
    /// What it says of its health.
    pub(super) said: Said,
    /// Ends the watch of it.
    pub(super) watch: Option<Stop>,
    /// No instance any more: kept until the calls on it are done.
    pub(super) retired: bool,
}

/// An instance that cannot be connected to.
pub(super) struct Unreachable {
    pub(super) id: InstanceId,
    pub(super) suspect: bool,
}

impl Tracked {
    pub(super) fn unreachable(&self) -> Unreachable {
        Unreachable {
            id: self.endpoint.id().clone(),
            suspect: self.suspect,
        }
    }

    pub(super) fn absent(&self) -> Absent {
        Absent {
            endpoint: Arc::clone(&self.endpoint),
            state: self.state.clone(),
        }
    }

    /// True if it may be called whoever else is there.
    pub(super) fn is_up(&self) -> bool {
        self.endpoint.instance().state == InstanceState::Up
    }

    /// True if it may be called while nobody else is there: it stops in this process.
    pub(super) fn lingers(&self, near: &Near) -> bool {
        self.state.is_ready()
            && self.endpoint.instance().state != InstanceState::Disabled
            && near.is_leaving(self.endpoint.address())
    }

    pub(super) fn connect(&self) {
        if matches!(self.state, LinkState::Idle) && self.is_up() {
            self.endpoint.link().connect();
        }
    }
}
