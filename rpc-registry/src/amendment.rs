//! What may change about an instance while it is announced.

use std::sync::Arc;

use rpc_core::context::Lane;

use crate::{Instance, InstanceState};

/// A change of an instance that keeps its announcement: what is `None` stays as it is.
///
/// ```
/// use rpc_registry::{Amendment, Instance, InstanceState};
///
/// let mut instance = Instance::new("shop-1");
/// Amendment::new().with_weight(10).with_state(InstanceState::Disabled).apply(&mut instance);
/// assert_eq!((instance.weight, instance.state), (10, InstanceState::Disabled));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Amendment {
    /// Whether calls should go to it.
    pub state: Option<InstanceState>,
    /// Its share of the calls.
    pub weight: Option<u32>,
    /// The lane that it serves; `Some(None)` is the base lane.
    pub lane: Option<Option<Lane>>,
    /// The application groups that it belongs to, in place of all that it belonged to.
    pub groups: Option<Vec<Arc<str>>>,
}

impl Amendment {
    /// One that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether calls should go to it.
    pub fn with_state(mut self, state: InstanceState) -> Self {
        self.state = Some(state);
        self
    }

    /// Sets its share of the calls.
    pub fn with_weight(mut self, weight: u32) -> Self {
        self.weight = Some(weight);
        self
    }

    /// Sets the lane that it serves; `None` is the base lane.
    pub fn with_lane(mut self, lane: impl Into<Option<Lane>>) -> Self {
        self.lane = Some(lane.into());
        self
    }

    /// Sets the groups that it belongs to; none is the default group.
    pub fn with_groups(mut self, groups: impl IntoIterator<Item = impl Into<Arc<str>>>) -> Self {
        self.groups = Some(groups.into_iter().map(Into::into).collect());
        self
    }

    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Changes an instance.
    pub fn apply(&self, instance: &mut Instance) {
        let Self {
            state,
            weight,
            lane,
            groups,
        } = self.clone();
        instance.state = state.unwrap_or(instance.state);
        instance.weight = weight.unwrap_or(instance.weight);
        if let Some(lane) = lane {
            instance.lane = lane;
        }
        if let Some(groups) = groups {
            instance.groups = groups;
        }
    }

    /// Changes an instance as an operator does: with the mark by which whoever announced it knows that it is to stay.
    pub fn apply_as_operator(&self, instance: &mut Instance) {
        self.apply(instance);
        if self.state == Some(InstanceState::Up) {
            instance.metadata.remove(Instance::OPERATOR);
        } else {
            instance
                .metadata
                .insert(Instance::OPERATOR.to_owned(), "1".to_owned());
        }
    }
}
