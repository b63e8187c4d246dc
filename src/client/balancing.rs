//! Which of the instances get the calls.

use std::sync::Arc;

use rpc_core::{
    BuildError,
    matcher::MatchError,
    status::{Classify, Verdict},
};
use rpc_governance::lane::LaneHook;
use rpc_lb::{
    Balancer, EndpointsConfig, HealthConfig, LaneRouter, RouteConfig, Router, Subsetting, route::Routers,
};

use super::{ClientBuilder, routing::Rules};

/// What the builder was told of it.
pub(super) struct Balancing {
    pub(super) labels: LaneHook,
    balancer: Option<Arc<dyn Balancer>>,
    /// A document that says what could be set one by one.
    pub(super) routes: Option<RouteConfig>,
    pub(super) routers: Routers,
    /// The method that first set a router which a document sets as well.
    pub(super) set_by: Option<&'static str>,
    /// A router chooses among groups, once the [routers](Self::routers) are made.
    pub(super) chooses_groups: bool,
    pub(super) rules: Rules,
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
            routes: None,
            // In every client: a request stays in its lane, whether or not anybody has thought of lanes.
            routers: Routers::new().with_lane(LaneRouter::new()),
            set_by: None,
            chooses_groups: false,
            rules: Rules::default(),
            health: HealthConfig::default(),
            subsetting: None,
        }
    }
}

impl Balancing {
    pub(super) fn check(&self) -> Result<(), BuildError> {
        if !self.labels.is_outbound() {
            let problem =
                "is for calls that come in, and calls go out here: `LaneHook::outbound()` is wanted";
            return Err(BuildError::new("lanes", problem));
        }
        for (at, rule) in self.labels.rules().rules().iter().enumerate() {
            let within = |error: MatchError| error.within(&format!("lanes.rules[{at}].when"));
            rule.when.check_for_client().map_err(within)?;
        }
        if let Some(balancer) = &self.balancer {
            let invalid =
                |error: rpc_lb::balance::InvalidBalancer| BuildError::new("balancer", error.to_string());
            balancer.check().map_err(invalid)?;
        }
        let invalid = |error: rpc_lb::health::InvalidHealth| BuildError::new("health", error.to_string());
        self.health.check().map_err(invalid)
    }

    pub(super) fn classify(&self) -> Classify {
        self.classify
    }

    /// The routers, in order.
    ///
    /// # Errors
    /// If the document makes no sense, or something that it says is said by a method as well.
    pub(super) fn routers(&mut self) -> Result<Vec<Arc<dyn Router>>, BuildError> {
        let routers = std::mem::take(&mut self.routers);
        let routers = match (self.routes.take(), self.set_by) {
            (Some(_), Some(method)) => {
                let problem = format!(
                    "says all routers that come with this crate, and `{method}` one of them: leave one of both out"
                );
                return Err(BuildError::new("routes", problem));
            }
            (Some(document), None) => document.routers()?.with_own_of(routers),
            (None, _) => routers,
        };
        self.chooses_groups = routers.has_group();
        Ok(routers.with_mirror(self.rules.mirror_router()).in_order())
    }

    pub(super) fn configure(self, routers: Vec<Arc<dyn Router>>, config: &mut EndpointsConfig) {
        if let Some(balancer) = self.balancer {
            config.balancer = balancer;
        }
        config.routers = routers;
        config.health = self.health;
        config.subsetting = self.subsetting;
    }
}

/// Balancing.
impl ClientBuilder {
    /// Which of the endpoints that a request may go to gets it. Default:
    /// [`P2c`](rpc_lb::balance::P2c), the better of two by latency and calls in flight.
    pub fn balancer(mut self, balancer: impl Balancer) -> Self {
        self.balancing.balancer = Some(Arc::new(balancer));
        self
    }

    /// Rules that put calls into lanes, before anything else sees them. Default: a call stays in the lane of the one that it is
    /// made for, or of the context that it is given. A rule that looks at the caller, whom a client does not have, and a hook for
    /// calls that come in are refused at [`build`](Self::build).
    pub fn lanes(mut self, lanes: LaneHook) -> Self {
        self.balancing.labels = lanes;
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
