//! What routers may know of all endpoints at each call.

use std::collections::HashSet;

use rpc_core::context::Lane;

use crate::snapshot::Member;

/// What routers may know of all endpoints at each call, counted once for each list of them.
#[derive(Debug, Clone, Default)]
pub struct Population {
    len: usize,
    lanes: HashSet<Lane>,
}

impl Population {
    pub(crate) fn of(members: &[Member]) -> Self {
        let instances = members.iter().map(|member| member.endpoint.instance());
        Self {
            len: members.len(),
            lanes: instances.filter_map(|instance| instance.lane.clone()).collect(),
        }
    }

    /// How many endpoints can be called, or may soon be.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True if one of them serves that lane.
    pub fn has_lane(&self, lane: &Lane) -> bool {
        self.lanes.contains(lane)
    }

    /// True if any of them serves a lane.
    pub fn has_lanes(&self) -> bool {
        !self.lanes.is_empty()
    }
}
