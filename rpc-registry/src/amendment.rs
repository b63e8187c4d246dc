//! What may change about an instance while it is announced.

use std::sync::Arc;

use rpc_core::context::Lane;

use crate::{Fault, Instance, InstanceState};

/// What a mark names.
const FIELDS: [&str; 4] = ["state", "weight", "lane", "groups"];

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

    /// Changes an instance as an operator does: with the [mark](Instance::OPERATOR) by which whoever announced it knows what
    /// is to stay.
    pub fn apply_as_operator(&self, instance: &mut Instance) {
        let mut marked = Self::of_operator(instance).unwrap_or_default();
        self.apply(instance);
        if self.state == Some(InstanceState::Up) {
            instance.metadata.remove(Instance::OPERATOR);
            return;
        }
        let Self {
            state,
            weight,
            lane,
            groups,
        } = self.clone();
        marked.state = state.or(marked.state);
        marked.weight = weight.or(marked.weight);
        marked.lane = lane.or(marked.lane);
        marked.groups = groups.or(marked.groups);
        marked.mark(instance);
    }

    /// The same, unless clients or a registry would refuse what this says, or clients what comes of it. What it does not touch
    /// may be as somebody wrote it: such an instance has to be drained as well.
    pub(crate) fn check_and_apply_as_operator(&self, instance: &mut Instance) -> Result<(), Fault> {
        let mut alone = Instance::new(instance.id.clone());
        self.apply(&mut alone);
        alone.check_written()?;
        self.apply_as_operator(instance);
        instance.check()
    }

    /// What operators have made of an instance, by its mark. A mark that names nothing, as other tools may write it, is one of
    /// everything.
    pub(crate) fn of_operator(instance: &Instance) -> Option<Self> {
        let mark = instance.metadata.get(Instance::OPERATOR)?;
        let names = |field| mark.split(',').any(|named| named == field);
        let everything = !FIELDS.into_iter().any(names);
        let [state, weight, lane, groups] = FIELDS.map(|field| everything || names(field));
        Some(Self {
            state: state.then_some(instance.state),
            weight: weight.then_some(instance.weight),
            lane: lane.then(|| instance.lane.clone()),
            groups: groups.then(|| instance.groups.clone()),
        })
    }

    /// Marks an instance as changed by an operator: what this changes is to stay.
    pub(crate) fn mark(&self, instance: &mut Instance) {
        let changes = [
            self.state.is_some(),
            self.weight.is_some(),
            self.lane.is_some(),
            self.groups.is_some(),
        ];
        let named = FIELDS.into_iter().zip(changes).filter(|(_, changes)| *changes);
        let named: Vec<_> = named.map(|(field, _)| field).collect();
        if !named.is_empty() {
            let mark = named.join(",");
            instance.metadata.insert(Instance::OPERATOR.to_owned(), mark);
        }
    }
}
