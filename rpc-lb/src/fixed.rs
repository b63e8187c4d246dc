//! Endpoints of a list that stays the same: for simulations, and for tests of balancers and routers.
//!
//! Calls choose as they do among [`Endpoints`](crate::Endpoints), by the same routers, health and balancer. There is no
//! resolver, no connection and no task: who uses it says what time it is, and when to [`tend`](FixedEndpoints::tend) to them.
//!
//! ```
//! # use std::sync::Arc;
//! # use rpc_core::{Body, Call, MethodDescriptor, Shape, status::Verdict};
//! # use rpc_lb::{EndpointsConfig, FixedEndpoints, endpoint::InFlight};
//! # use rpc_registry::Instance;
//! # use tokio::time::Instant;
//! let instances = ["a", "b", "c"].map(|id| Arc::new(Instance::new(id)));
//! let now = Instant::now();
//! let endpoints = FixedEndpoints::new(&instances, EndpointsConfig::default(), now);
//!
//! static METHOD: MethodDescriptor = MethodDescriptor::new("/shop.Inventory/Stock", Shape::Unary);
//! let call = Call::new((&METHOD).into(), "json", Body::Empty);
//! let picked = endpoints.pick(&call, now, &[]).expect("there are three");
//! let other = endpoints.pick(&call, now, &[Arc::clone(&picked.endpoint)]).expect("there are two others");
//! assert_ne!(picked.endpoint.id(), other.endpoint.id());
//!
//! let in_flight = InFlight::begin(picked.endpoint, picked.started);
//! in_flight.end(Verdict::Healthy, || now);
//! ```

use std::{sync::Arc, time::Duration};

use rpc_core::{
    Call, CallFuture, Status,
    net::Address,
    transport::{Link, LinkState},
};
use rpc_registry::Instance;
use tokio::{sync::watch, time::Instant};

use crate::{
    Balancer, Endpoint, EndpointsConfig, HealthConfig, PickRequest, Picked, Router, Snapshot,
    endpoint::Alarm,
    health::{Found, Health, Said, Seen},
    route::Chain,
    snapshot::{Member, Scheme},
};

/// Endpoints of a list that stays the same. See the [module](self).
#[derive(Debug)]
pub struct FixedEndpoints {
    endpoints: Vec<Arc<Endpoint>>,
    balancer: Arc<dyn Balancer>,
    routers: Arc<[Arc<dyn Router>]>,
    config: HealthConfig,
    health: Health,
    alarm: Option<Arc<Alarm>>,
    swept: Instant,
    refreshed: Instant,
    snapshot: Snapshot,
}

impl FixedEndpoints {
    /// How often [`tend`](Self::tend) wants to be called while calls are made.
    pub const PERIOD: Duration = Health::PERIOD;

    /// An endpoint for each instance, seen first at `now`. Balancer, routers and health are taken from the configuration;
    /// the rest of it is about what a fixed list does not have.
    pub fn new(instances: &[Arc<Instance>], config: EndpointsConfig, now: Instant) -> Self {
        let alarm = config.health.alarm();
        let endpoint = |instance: &Arc<Instance>| {
            let address = instance.addresses.first().map(|address| address.address.clone());
            let link = NoLink(address.unwrap_or_else(|| Address::Local(instance.id.as_str().into())));
            let endpoint = Endpoint::new(Arc::clone(instance), Arc::new(link), now);
            Arc::new(endpoint.with_alarm(alarm.clone()))
        };
        let mut fixed = Self {
            endpoints: instances.iter().map(endpoint).collect(),
            balancer: config.balancer,
            routers: config.routers.into(),
            health: Health::new(&config.health),
            config: config.health,
            alarm,
            swept: now,
            refreshed: now,
            snapshot: Snapshot::default(),
        };
        fixed.publish(now);
        fixed
    }

    /// All of them, in the order of the instances.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// What calls choose from, as it is now.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The endpoint for a call, one that was not `tried`; `None` if there is none. What is returned is what
    /// [`InFlight::begin`](crate::endpoint::InFlight::begin) wants.
    pub fn pick(&self, call: &Call<'_>, now: Instant, tried: &[Arc<Endpoint>]) -> Option<Picked> {
        self.snapshot.with_subset(call, |subset| {
            if subset.endpoints().is_empty() {
                return None;
            }
            #[allow(clippy::cast_possible_truncation, reason = "attempts are few")]
            let request = PickRequest::new(call, subset.endpoints(), now).with_attempt(tried.len() as u32);
            Some(Picked {
                endpoint: Arc::clone(subset.pick(&request, tried)?),
                started: subset.needs_latency().then_some(now),
                has_choice: subset.has_choice(),
            })
        })
    }

    /// Looks after the endpoints, if it is time: once in a [`PERIOD`](Self::PERIOD), and soon after calls failed one after
    /// the other. To be called once in a period, and after calls have ended.
    pub fn tend(&mut self, now: Instant) {
        let rang = self.alarm.as_ref().is_some_and(|alarm| alarm.has_rung());
        let period = if rang { Health::ALARM } else { Health::PERIOD };
        if now.saturating_duration_since(self.swept) < period {
            return;
        }
        self.swept = now;
        if let Some(alarm) = &self.alarm {
            alarm.reset();
        }
        let found = self
            .health
            .sweep(now, seen(&self.endpoints), &self.snapshot.traffic(true));
        // Not for each alarm of one that goes on failing.
        if found > Found::Nothing || now.saturating_duration_since(self.refreshed) >= Health::PERIOD {
            self.refreshed = now;
            self.snapshot.refresh(now);
        }
        if found == Found::Sick {
            self.publish(now);
        }
    }

    fn publish(&mut self, now: Instant) {
        self.health.weigh(now, seen(&self.endpoints));
        let member = |seen: Seen<'_>, endpoint: &Arc<Endpoint>| Member {
            number: seen.number,
            endpoint: Arc::clone(endpoint),
            instance: endpoint.instance(),
            is_ready: true,
            is_suspect: false,
            sickness: self.health.sickness(seen.number),
            is_connecting: false,
            distance: 0,
        };
        let members: Vec<_> = seen(&self.endpoints)
            .zip(&self.endpoints)
            .map(|(seen, endpoint)| member(seen, endpoint))
            .collect();
        let scheme = Scheme {
            balancer: Arc::clone(&self.balancer),
            panic: self.config.panic,
            needs_latency: self.config.eject.needs_latency(),
        };
        let chain = Chain::new(Arc::clone(&self.routers), &members);
        self.snapshot = Snapshot::new(members, chain, scheme);
    }
}

/// Endpoints as [`Health`] looks at them.
fn seen(endpoints: &[Arc<Endpoint>]) -> impl Iterator<Item = Seen<'_>> + Clone {
    (0..).zip(endpoints).map(|(number, endpoint)| Seen {
        number,
        endpoint,
        // Nobody of them came later.
        is_first: true,
        is_away: false,
        said: Said::Nothing,
    })
}

/// A link by which nothing is sent.
struct NoLink(Address);

impl Link for NoLink {
    fn call<'a>(&'a self, _: &'a mut Call<'_>) -> CallFuture<'a> {
        let status = Status::unavailable("this endpoint is simulated: it has no connection");
        CallFuture::ready(Err(status.not_processed()))
    }

    fn address(&self) -> &Address {
        &self.0
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        watch::Sender::new(LinkState::Ready).subscribe()
    }

    fn connect(&self) {}

    fn close(&self) {}
}
