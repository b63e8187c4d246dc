//! Where requests may go.

use std::sync::Arc;

use rpc_core::{BuildError, Channel};
use rpc_lb::{
    ConditionRouter, Endpoints, GroupRouter, LaneRouter, PercentageRouter, RouteConfig, Router, TagRouter,
    ZoneRouter,
    fault::{FaultLayer, FaultRule},
    mirror::{MirrorConfig, MirrorLayer, MirrorRouter, MirrorTargets},
    route::Routers,
};

use super::ClientBuilder;

/// What the builder was told of copies and faults.
#[derive(Default)]
pub(super) struct Rules {
    mirror: MirrorConfig,
    targets: MirrorTargets,
    faults: Vec<FaultRule>,
}

/// What of routing stands in the stack.
#[derive(Debug, Clone)]
pub(super) struct Routing {
    pub(super) fault: FaultLayer,
    pub(super) mirror: MirrorLayer,
    /// Something goes by a number of the request's own.
    pub(super) needs_request_key: bool,
}

impl Rules {
    /// The router that copies need.
    pub(super) fn mirror_router(&self) -> Option<MirrorRouter> {
        MirrorRouter::new(&self.mirror)
    }

    /// The layers, over the endpoints that have these routers.
    ///
    /// # Errors
    /// If a rule makes no sense.
    pub(super) fn layers(
        self,
        routers: &[Arc<dyn Router>],
        endpoints: &Endpoints,
    ) -> Result<Routing, BuildError> {
        let fault = FaultLayer::new(self.faults).map_err(|error| error.within("faults"))?;
        let mirror = MirrorLayer::new(self.mirror, endpoints, &self.targets)
            .map_err(|error| error.within("mirror"))?;
        let by_router = routers.iter().any(|router| router.needs_request_key());
        Ok(Routing {
            needs_request_key: by_router || fault.needs_request_key() || mirror.needs_request_key(),
            fault,
            mirror,
        })
    }
}

/// Routing: which endpoints a request may go to. Whatever the order in which routers are set, they work in
/// [this one](rpc_lb::route::Routers).
impl ClientBuilder {
    /// Sets all routers that come with this crate as a document says; routers of your own stay. See [`RouteConfig`].
    /// A setting that makes no sense is found at [`build`](Self::build), which also refuses a document together with one of
    /// these routers that is set by its own method.
    pub fn routes(mut self, config: RouteConfig) -> Self {
        self.balancing.routes = Some(config);
        self
    }

    /// Where requests go whose lane has no endpoint. Default: to the base lane.
    pub fn lane_router(self, lanes: LaneRouter) -> Self {
        self.built_in("lane_router", |routers| routers.with_lane(lanes))
    }

    /// Sends each request to the application group that it means. One of the targets at least has to let all of them in, by
    /// `?group=*`, which [`build`](Self::build) makes sure of. Default: the group of the target.
    pub fn group_router(self, groups: GroupRouter) -> Self {
        self.built_in("group_router", |routers| routers.with_group(groups))
    }

    /// Sends requests with a tag to the instances that have it. Default: tags do not matter.
    pub fn tag_router(self, tags: TagRouter) -> Self {
        self.built_in("tag_router", |routers| routers.with_tag(tags))
    }

    /// Sends the requests that rules mean to the instances that these name. Default: no rules.
    pub fn condition_router(self, conditions: ConditionRouter) -> Self {
        self.built_in("condition_router", |routers| routers.with_condition(conditions))
    }

    /// Adds a router of your own, which narrows the endpoints that a request may go to. They work after the conditions, in the
    /// order in which they are added.
    pub fn router(self, router: impl Router) -> Self {
        self.routers(|routers| routers.with_own(Arc::new(router)))
    }

    /// Splits requests among destinations: canary releases, A/B tests. Default: no rules.
    pub fn percentage_router(self, percentages: PercentageRouter) -> Self {
        self.built_in("percentage_router", |routers| {
            routers.with_percentage(percentages)
        })
    }

    /// Keeps calls in the zone of this client as far as there is room. Default: zones do not matter.
    pub fn zone_router(self, zones: ZoneRouter) -> Self {
        self.built_in("zone_router", |routers| routers.with_zone(zones))
    }

    /// Makes copies of calls for a version that is not trusted yet: see [`mirror`](rpc_lb::mirror). Takes the place of what an
    /// earlier call of this has said. Default: none.
    pub fn mirror(mut self, config: MirrorConfig) -> Self {
        self.balancing.rules.mirror = config;
        self
    }

    /// Another target that rules of [`mirror`](Self::mirror) may name: the client of it, or its channel.
    pub fn mirror_target(mut self, name: impl Into<String>, channel: impl Into<Channel>) -> Self {
        let targets = std::mem::take(&mut self.balancing.rules.targets);
        self.balancing.rules.targets = targets.with(name, channel);
        self
    }

    /// Holds calls up, or lets them fail, by rule: see [`fault`](rpc_lb::fault). These are all rules: those of an earlier call
    /// of this are gone. Default: none.
    pub fn faults(mut self, rules: impl IntoIterator<Item = FaultRule>) -> Self {
        self.balancing.rules.faults = rules.into_iter().collect();
        self
    }

    /// Sets one of those that a document sets as well.
    fn built_in(mut self, method: &'static str, change: impl FnOnce(Routers) -> Routers) -> Self {
        self.balancing.set_by.get_or_insert(method);
        self.routers(change)
    }

    fn routers(mut self, change: impl FnOnce(Routers) -> Routers) -> Self {
        let routers = std::mem::take(&mut self.balancing.routers);
        self.balancing.routers = change(routers);
        self
    }
}
