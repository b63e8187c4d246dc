//! Which of the instances get the calls.

use std::sync::Arc;

use rpc_core::{
    BuildError,
    status::{Classify, Verdict},
};
use rpc_governance::lane::LaneHook;
use rpc_lb::{Balancer, EndpointsConfig, HealthConfig, LaneRouter, Router, Subsetting};

use super::ClientBuilder;

/// What the builder was told of it.
pub(super) struct Balancing {
    pub(super) labels: LaneHook,
    balancer: Option<Arc<dyn Balancer>>,
    lanes: LaneRouter,
    routers: Vec<Arc<dyn Router>>,
    health: HealthConfig,
    classify: Classify,
    subsetting: Option<Subsetting>,
}

impl Default for Balancing {
    fn default() -> Self {
        Self {
            classify: Verdict::of,
            labels: LaneHook::outbound(),
            balancer: None,
            lanes: LaneRouter::new(),
            routers: Vec::new(),
            health: HealthConfig::default(),
            subsetting: None,
        }
    }
}

impl Balancing {
    pub(super) fn check(&self) -> Result<(), BuildError> {
        let invalid =
            |error| BuildError::new("health", "has a setting that makes no sense").with_source(error);
        self.health.check().map_err(invalid)
    }

    pub(super) fn classify(&self) -> Classify {
        self.classify
    }

    pub(super) fn configure(self, config: &mut EndpointsConfig) {
        if let Some(balancer) = self.balancer {
            config.balancer = balancer;
        }
        // First: whatever else a request asks for, it stays in its lane.
        config.routers = vec![Arc::new(self.lanes)];
        config.routers.extend(self.routers);
        config.health = self.health;
        config.subsetting = self.subsetting;
    }
}

/// Routing and balancing.
impl ClientBuilder {
    /// Which of the endpoints that a request may go to gets it. Default: [`RoundRobin`](rpc_lb::RoundRobin).
    pub fn balancer(mut self, balancer: impl Balancer) -> Self {
        self.balancing.balancer = Some(Arc::new(balancer));
        self
    }

    /// Rules that put calls into lanes, before anything else sees them. Default: a call stays in the lane of the one that it is
    /// made for, or of the context that it is given.
    pub fn lanes(mut self, lanes: LaneHook) -> Self {
        self.balancing.labels = lanes;
        self
    }

    /// Where requests go whose lane has no endpoint. Default: to the base lane.
    pub fn lane_router(mut self, lanes: LaneRouter) -> Self {
        self.balancing.lanes = lanes;
        self
    }

    /// Adds a router, which narrows the endpoints that a request may go to. They work in the order in which they are added.
    pub fn router(mut self, router: impl Router) -> Self {
        self.balancing.routers.push(Arc::new(router));
        self
    }

    /// What the end of a call says of the endpoint that answered it: ejection and balancers go by that. Default:
    /// [`Verdict::of`], by the facts of a status, then by its code.
    pub fn classify(mut self, classify: Classify) -> Self {
        self.balancing.classify = classify;
        self
    }

    /// Connects to a part of the instances only: for large fleets. Default: to all.
    pub fn subsetting(mut self, subsetting: Subsetting) -> Self {
        self.balancing.subsetting = Some(subsetting);
        self
    }

    /// When an endpoint counts as sick, and what becomes of it.
    pub fn health(mut self, health: HealthConfig) -> Self {
        self.balancing.health = health;
        self
    }
}
