//! In which order routers work.

use std::sync::Arc;

use super::{ConditionRouter, GroupRouter, LaneRouter, PercentageRouter, Router, TagRouter, ZoneRouter};
use crate::mirror::MirrorRouter;

/// The routers of a client: those that come with this crate in the order in which they make sense, whatever the order in
/// which they are set, and a user's own among them.
///
/// Before all others, copies of calls are narrowed to the instances that are [meant for them](crate::mirror).
///
/// 1. lane: whatever else a request asks for, it stays in its lane
/// 2. group: which application group it means
/// 3. tag
/// 4. condition: rules, of the callee and of the caller
/// 5. the user's own, in the order in which they are added
/// 6. percentage: shares are of what the ones before have left
/// 7. zone: last, because it divides what is left by how much of it is where
#[derive(Debug, Clone, Default)]
pub struct Routers {
    mirror: Option<MirrorRouter>,
    lane: Option<LaneRouter>,
    group: Option<GroupRouter>,
    tag: Option<TagRouter>,
    condition: Option<ConditionRouter>,
    own: Vec<Arc<dyn Router>>,
    percentage: Option<PercentageRouter>,
    zone: Option<ZoneRouter>,
}

impl Routers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the router for copies of calls.
    pub fn with_mirror(mut self, router: impl Into<Option<MirrorRouter>>) -> Self {
        self.mirror = router.into();
        self
    }

    /// Sets the lane router.
    pub fn with_lane(mut self, router: impl Into<Option<LaneRouter>>) -> Self {
        self.lane = router.into();
        self
    }

    /// Sets the group router.
    pub fn with_group(mut self, router: impl Into<Option<GroupRouter>>) -> Self {
        self.group = router.into();
        self
    }

    /// Sets the tag router.
    pub fn with_tag(mut self, router: impl Into<Option<TagRouter>>) -> Self {
        self.tag = router.into();
        self
    }

    /// Sets the condition router.
    pub fn with_condition(mut self, router: impl Into<Option<ConditionRouter>>) -> Self {
        self.condition = router.into();
        self
    }

    /// Adds a router of the user's own.
    pub fn with_own(mut self, router: Arc<dyn Router>) -> Self {
        self.own.push(router);
        self
    }

    /// Sets the percentage router.
    pub fn with_percentage(mut self, router: impl Into<Option<PercentageRouter>>) -> Self {
        self.percentage = router.into();
        self
    }

    /// Sets the zone router.
    pub fn with_zone(mut self, router: impl Into<Option<ZoneRouter>>) -> Self {
        self.zone = router.into();
        self
    }

    /// True if the group router is set.
    pub fn has_group(&self) -> bool {
        self.group.is_some()
    }

    /// Adds the user's own of others.
    pub fn with_own_of(mut self, others: Self) -> Self {
        self.own.extend(others.own);
        self
    }

    /// The routers that are set, in order.
    pub fn in_order(self) -> Vec<Arc<dyn Router>> {
        fn shared<R: Router>(router: Option<R>) -> Option<Arc<dyn Router>> {
            router.map(|router| Arc::new(router) as _)
        }
        let before = [
            shared(self.mirror),
            shared(self.lane),
            shared(self.group),
            shared(self.tag),
            shared(self.condition),
        ];
        let after = [shared(self.percentage), shared(self.zone)];
        let before = before.into_iter().flatten();
        before
            .chain(self.own)
            .chain(after.into_iter().flatten())
            .collect()
    }
}
