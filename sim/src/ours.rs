//! The policies that are shipped, as the world asks them.
//!
//! A client here is a [`FixedEndpoints`]: the same routers, balancers, statistics and health as in a channel, only that the
//! list of instances stays and that virtual time is handed in.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use rpc_core::{Body, Call, MethodDescriptor, Shape, context::Lane, status::Verdict};
use rpc_lb::{
    Endpoint, EndpointsConfig, FixedEndpoints, LaneRouter,
    balance::HashOf,
    endpoint::{InFlight, Reported},
};
use rpc_registry::Instance;
use tokio::time::Instant;

use crate::{
    Slab, Time,
    policy::{Ask, Outcome, Over, Peer, Picked, Policy},
    server::Report,
};

static METHOD: MethodDescriptor = MethodDescriptor::new("/sim.Fleet/Call", Shape::Unary);

/// What a client's builder makes of nothing.
pub fn defaults() -> EndpointsConfig {
    let mut config = EndpointsConfig::default();
    config.routers = vec![Arc::new(LaneRouter::default())];
    config
}

/// The settings of a client, from which each client's own policy is made.
#[derive(Clone)]
pub struct Setting {
    /// What it is called in tables.
    pub name: String,
    config: Arc<dyn Fn() -> EndpointsConfig + Send + Sync>,
}

impl Setting {
    /// These settings.
    pub fn new(
        name: impl Into<String>,
        config: impl Fn() -> EndpointsConfig + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            config: Arc::new(config),
        }
    }

    /// These settings with a change.
    pub fn changed(self, change: impl Fn(&mut EndpointsConfig) + Send + Sync + 'static) -> Self {
        let config = self.config;
        Self::new(self.name, move || {
            let mut config = config();
            change(&mut config);
            config
        })
    }

    /// Makes policies.
    pub fn maker(&self) -> Maker<'_> {
        Maker {
            setting: self,
            started: Instant::now(),
            instances: std::cell::RefCell::default(),
        }
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Makes the policies of one world's clients.
pub struct Maker<'s> {
    setting: &'s Setting,
    /// The real time that counts as the start. Only differences to it matter.
    started: Instant,
    /// Clients share the records, as they do not share what they learn.
    instances: std::cell::RefCell<HashMap<usize, Arc<Instance>>>,
}

impl Maker<'_> {
    /// One client's policy.
    pub fn make(&self, peers: &[Peer]) -> Box<dyn Policy> {
        let mut known = self.instances.borrow_mut();
        let instances: Vec<_> = peers
            .iter()
            .map(|peer| {
                Arc::clone(
                    known
                        .entry(peer.server)
                        .or_insert_with(|| Arc::new(instance(peer))),
                )
            })
            .collect();
        Box::new(Ours::new(&instances, (self.setting.config)(), self.started))
    }
}

fn instance(peer: &Peer) -> Instance {
    Instance::new(format!("server-{}", peer.server))
        .with_weight(peer.weight)
        .with_lane(peer.lane.map(lane))
}

/// The lane of a number.
fn lane(number: u8) -> Lane {
    // Digits and letters only.
    Lane::new(&format!("lane-{number}")).expect("a legal name")
}

struct Ours {
    endpoints: FixedEndpoints,
    places: HashMap<*const Endpoint, usize>,
    under_way: Slab<InFlight<Arc<Endpoint>>>,
    started: Instant,
}

impl Ours {
    fn new(instances: &[Arc<Instance>], config: EndpointsConfig, started: Instant) -> Self {
        let endpoints = FixedEndpoints::new(instances, config, started);
        let all = endpoints.endpoints().iter().enumerate();
        Self {
            places: all
                .map(|(place, endpoint)| (Arc::as_ptr(endpoint), place))
                .collect(),
            endpoints,
            under_way: Slab::new(),
            started,
        }
    }

    fn instant(&self, now: Time) -> Instant {
        self.started + now.since_start()
    }
}

impl Policy for Ours {
    fn pick(&mut self, now: Time, ask: &Ask<'_>) -> Option<Picked> {
        let now = self.instant(now);
        let mut call = Call::new((&METHOD).into(), "json", Body::Empty);
        if let Some(number) = ask.lane {
            call.context = call.context.with_lane(lane(number));
        }
        call.extensions.insert(HashOf(ask.key));
        let all = self.endpoints.endpoints();
        let tried: Vec<_> = ask.tried.iter().map(|&place| Arc::clone(&all[place])).collect();
        let picked = self
            .endpoints
            .pick(&call, now, &tried)
            // Nobody else is left: better the same again than nobody.
            .or_else(|| self.endpoints.pick(&call, now, &[]))?;
        let place = *self.places.get(&Arc::as_ptr(&picked.endpoint))?;
        let ticket = self
            .under_way
            .insert(InFlight::begin(picked.endpoint, picked.started));
        Some(Picked {
            endpoint: place,
            ticket: Some(ticket),
        })
    }

    fn finished(&mut self, now: Time, over: &Over) {
        let Some(guard) = over.ticket.and_then(|ticket| self.under_way.remove(ticket)) else {
            return;
        };
        let verdict = match over.outcome {
            Outcome::Answered => Verdict::Healthy,
            Outcome::Failed | Outcome::TimedOut => Verdict::Failed,
            Outcome::Refused => Verdict::Overloaded,
            // Dropped, as the future of a call is that nobody waits for.
            Outcome::Cancelled => return,
        };
        let now = self.instant(now);
        if let Some(report) = over.report {
            let stats = self.endpoints.endpoints()[over.endpoint].stats();
            stats.set_reported(reported(&report), now);
        }
        guard.end(verdict, || now);
        self.endpoints.tend(now);
    }

    fn tick(&mut self, now: Time) {
        self.endpoints.tend(self.instant(now));
    }
}

/// A report as the statistics of an endpoint keep it.
fn reported(report: &Report) -> Reported {
    let mut reported = Reported::default();
    reported.cpu = report.cpu as f32;
    reported.rps = report.per_second as f32;
    reported.in_flight = report.in_flight as f32;
    reported
}

/// How often clients look after their endpoints.
pub const TICK: Duration = FixedEndpoints::PERIOD;
