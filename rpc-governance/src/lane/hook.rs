//! Lanes as a hook.

use std::{collections::HashSet, sync::Arc};

use rpc_core::{
    Call, Status,
    context::Lane,
    metadata::{InvalidMetadata, MetadataKey},
    stage::Hook,
};

use super::LaneRules;

/// Which lanes a server takes from its callers. What is not taken is gone from the call's metadata as well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AcceptedLanes {
    /// All: callers are one's own services.
    #[default]
    All,
    /// None: whoever calls travels in the base lane, until a rule says otherwise.
    None,
    /// These; a request in another one travels in the base lane, until a rule says otherwise.
    Only(HashSet<Lane>),
}

impl AcceptedLanes {
    /// These lanes.
    pub fn only(lanes: impl IntoIterator<Item = Lane>) -> Self {
        Self::Only(lanes.into_iter().collect())
    }

    fn has(&self, lane: &Lane) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(lanes) => lanes.contains(lane),
        }
    }
}

/// Puts calls into lanes. See the [module](super). The metadata of calls that arrive, and of those that go out where there are
/// rules, says no other lane then.
#[derive(Debug, Clone, Default)]
pub struct LaneHook {
    accepted: AcceptedLanes,
    rules: Arc<LaneRules>,
    key: Option<MetadataKey>,
    writes: bool,
}

impl LaneHook {
    /// For calls that come in: those of a server.
    pub fn inbound() -> Self {
        Self::default()
    }

    /// For calls that go out: those of a client.
    pub fn outbound() -> Self {
        Self {
            writes: true,
            ..Self::default()
        }
    }

    /// The lanes that are taken from callers. Default: all.
    pub fn with_accepted(mut self, accepted: AcceptedLanes) -> Self {
        self.accepted = accepted;
        self
    }

    /// Rules for calls.
    pub fn with_rules(mut self, rules: LaneRules) -> Self {
        self.rules = Arc::new(rules);
        self
    }

    /// The rules for calls.
    pub fn rules(&self) -> &LaneRules {
        &self.rules
    }

    /// A key of the metadata that has the lane besides the usual one,
    /// [`LANE_KEY`](rpc_core::context::LANE_KEY): what others use. Of calls that come in it counts if the usual one is not
    /// there; to calls that go out it is added.
    ///
    /// # Errors
    /// If it is not the key of a text, or one that is reserved.
    pub fn with_key(mut self, key: &str) -> Result<Self, InvalidMetadata> {
        self.key = Some(MetadataKey::text(key)?);
        Ok(self)
    }

    /// True if it is for calls that go out.
    pub fn is_outbound(&self) -> bool {
        self.writes
    }

    /// True if it would do nothing.
    pub fn is_idle(&self) -> bool {
        self.accepted == AcceptedLanes::All && self.rules.rules().is_empty() && self.key.is_none()
    }

    fn read(&self, call: &mut Call<'_>) {
        let Some(key) = self.key.as_ref().filter(|_| call.context.lane().is_none()) else {
            return;
        };
        if let Some(lane) = call
            .metadata
            .get(key.as_str())
            .and_then(|name| Lane::new(name).ok())
        {
            call.context = std::mem::take(&mut call.context).with_lane(lane);
        }
    }

    /// A handler may pass the metadata on as it came: it must not say a lane that the call does not travel in.
    fn clear(&self, call: &mut Call<'_>) {
        call.context.remove_other_lanes(&mut call.metadata);
        if let Some(own) = &self.key {
            let lane = call.context.lane().map(Lane::as_str);
            call.metadata
                .retain(|key, value| key != own || (lane.is_some() && value.as_str() == lane));
        }
    }

    fn write(&self, call: &mut Call<'_>) {
        if let (Some(key), Some(lane)) = (&self.key, call.context.lane())
            && !call.metadata.contains_key(key.as_str())
        {
            // A lane is printable, and the key was checked.
            let _ = call.metadata.insert(key.as_str(), lane.as_str());
        }
    }
}

impl Hook for LaneHook {
    fn before(&self, call: &mut Call<'_>) -> Result<(), Status> {
        if !self.writes {
            self.read(call);
        }
        if call.context.lane().is_some_and(|lane| !self.accepted.has(lane)) {
            call.context = std::mem::take(&mut call.context).with_lane(None);
        }
        self.rules.apply(call);
        if !self.writes || !self.rules.rules().is_empty() {
            self.clear(call);
        }
        if self.writes {
            self.write(call);
        }
        Ok(())
    }
}
