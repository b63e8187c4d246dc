//! All endpoints at one moment, as calls read them.

use std::{fmt, sync::Arc};

use rpc_core::{Call, Status, transport::LinkState};
use rpc_registry::{Freshness, Instance};
use tokio::time::Instant;

use crate::{
    Balancer, Endpoint, Subset,
    health::Sickness,
    route::{Candidate, Chain, Outcome, Traffic},
    subset::Plan,
};

/// The endpoints of a target at one moment. Immutable: a change makes another one.
///
/// What calls choose from stands in [`Subset`]s, one for each answer of the routers, so that choosing is an index and not a
/// search, however many endpoints there are.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Those that can be called, or may be soon.
    pub(crate) members: Box<[Member]>,
    /// Those that cannot.
    pub(crate) absent: Box<[Absent]>,
    pub(crate) chain: Chain,
    /// For requests that no router looks at.
    pub(crate) plain: Arc<Outcome>,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) counts: Counts,
    /// How far the list of instances can be trusted.
    pub(crate) freshness: Freshness,
    /// One of several targets has not answered yet.
    pub(crate) awaited: bool,
    /// Why the last attempt to connect to one of the endpoints failed.
    pub(crate) last_error: Option<Status>,
    pub(crate) closed: bool,
    /// Differs between any two that were published.
    pub(crate) revision: u64,
}

/// One endpoint at one moment.
#[derive(Debug)]
pub(crate) struct Member {
    /// That of the endpoint among all that its client has known.
    pub(crate) number: u64,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) instance: Arc<Instance>,
    pub(crate) is_ready: bool,
    pub(crate) is_suspect: bool,
    /// Why it gets no calls, if it is sick.
    pub(crate) sickness: Option<Sickness>,
    pub(crate) is_connecting: bool,
    /// The smaller, the nearer.
    pub(crate) distance: u8,
}

/// An endpoint that cannot be called at the moment: its instance is off, or cannot be reached.
#[derive(Debug)]
pub(crate) struct Absent {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) state: LinkState,
}

impl Member {
    pub(crate) fn candidate(&self, suspects_count: bool) -> Candidate<'_> {
        Candidate {
            endpoint: &self.endpoint,
            instance: &self.instance,
            is_ready: self.is_ready,
            is_well: self.is_well(suspects_count),
        }
    }

    pub(crate) fn is_well(&self, suspects_count: bool) -> bool {
        self.is_ready && self.sickness.is_none() && (suspects_count || !self.is_suspect)
    }
}

/// Whether suspects are called like the others. They come last, unless they are the most of those that can be called: then it is
/// the registry that is suspect, and the few that it still knows must not get the calls of all. (Envoy's panic threshold, 50 %
/// as well, is the same thought.)
pub(crate) fn suspects_count<'m>(members: impl Iterator<Item = &'m Member>) -> bool {
    let (mut suspects, mut listed) = (0, 0);
    for member in members.filter(|member| member.is_ready) {
        if member.is_suspect {
            suspects += 1;
        } else {
            listed += 1;
        }
    }
    suspects >= listed
}

/// How subsets are made.
#[derive(Debug, Clone)]
pub(crate) struct Scheme {
    pub(crate) balancer: Arc<dyn Balancer>,
    /// See [`HealthConfig::panic`](crate::HealthConfig::panic).
    pub(crate) panic: f32,
    /// Calls are to be timed, whatever the balancer needs.
    pub(crate) needs_latency: bool,
}

/// How many endpoints there are, by what they can do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Connected and up.
    pub ready: usize,
    /// Up, and a connection is being made.
    pub connecting: usize,
    /// Up, without a connection and without an attempt to make one.
    pub idle: usize,
    /// Up, but the last attempt to connect failed.
    pub failing: usize,
    /// Draining or disabled: they get no calls.
    pub off: usize,
    /// Connected and up, but the registry does not list them any more. They count as ready as well where calls go to them.
    pub suspect: usize,
    /// Sick: they get no calls, unless too many are. Each of them counts as ready, connecting, idle or suspect as well.
    pub sick: usize,
    /// Without an address for the protocol that this client speaks.
    pub foreign: usize,
    /// Called over TLS, which this client does not speak.
    pub tls_only: usize,
    /// Not in the [part](crate::Subsetting) of the list that this client connects to.
    pub left_out: usize,
}

impl Snapshot {
    pub(crate) fn new(members: Vec<Member>, chain: Chain, scheme: Scheme) -> Self {
        let mut snapshot = Self {
            members: members.into(),
            chain,
            plain: Arc::default(),
            scheme: Some(scheme),
            ..Self::default()
        };
        snapshot.plain = Arc::new(snapshot.outcome(&[]));
        snapshot
    }

    /// The endpoints that a request can go to in which nothing matters to any router.
    pub fn ready(&self) -> &[Arc<Endpoint>] {
        self.plain.whole().endpoints()
    }

    /// What a call can go to. Where a router [divides](crate::Router::divide) it, another call may go to another part.
    pub fn subset_for(&self, call: &Call<'_>) -> Arc<Subset> {
        self.with_subset(call, Arc::clone)
    }

    /// Looks at what a call can go to, without counting a reference where nothing in it matters.
    #[inline]
    pub(crate) fn with_subset<R>(&self, call: &Call<'_>, f: impl FnOnce(&Arc<Subset>) -> R) -> R {
        let affinity = || self.scheme.as_ref()?.balancer.affinity(call);
        self.with_outcome(call, |outcome| f(outcome.draw(affinity)))
    }

    /// The same, for an attempt elsewhere: all parts together.
    pub(crate) fn with_whole<R>(&self, call: &Call<'_>, f: impl FnOnce(&Arc<Subset>) -> R) -> R {
        self.with_outcome(call, |outcome| f(outcome.whole()))
    }

    #[inline]
    fn with_outcome<R>(&self, call: &Call<'_>, f: impl FnOnce(&Outcome) -> R) -> R {
        match self.chain.keys(call) {
            None => f(&self.plain),
            Some(keys) => f(&self.chain.kept(&keys, |keys| self.outcome(keys))),
        }
    }

    fn outcome(&self, keys: &[crate::RouteKey]) -> Outcome {
        let Some(scheme) = &self.scheme else {
            return Outcome::default();
        };
        let plan = Plan {
            balancer: &*scheme.balancer,
            panic: scheme.panic,
            needs_latency: scheme.needs_latency,
        };
        self.chain.outcome(keys, &self.members, &self.plain, &plan)
    }

    /// Lets the pickers work out anew what they make of the endpoints.
    pub(crate) fn refresh(&self, now: Instant) {
        for subset in self.chain.subsets(&self.plain) {
            subset.refresh(now);
        }
    }

    /// Which endpoints have got the same requests, as the routers chose: those whose values are equal. By number.
    pub(crate) fn traffic(&self, ages: bool) -> Traffic {
        self.chain.traffic(&self.members, &self.plain, ages)
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// True once there is a list of instances, be it one that an earlier start has kept.
    pub fn is_listed(&self) -> bool {
        self.freshness.has_list()
    }

    /// How far the list of instances can be trusted: whether it is live, and since when or from when it is if not. Of
    /// several targets, [`Endpoints::discovery`](crate::Endpoints::discovery) says it of each.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// True if an endpoint may become ready without anybody doing anything: waiting makes sense.
    pub(crate) fn is_hopeful(&self, subset: &Subset) -> bool {
        self.is_hopeful_with(subset.is_pending())
    }

    pub(crate) fn is_hopeful_with(&self, pending: bool) -> bool {
        pending || self.awaited || matches!(self.freshness, Freshness::Pending)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.ready, "ready"),
            (self.connecting, "connecting"),
            (self.idle, "idle"),
            (self.failing, "failing"),
            (self.off, "draining or disabled"),
            (self.suspect, "suspect"),
            (self.sick, "sick"),
            (self.foreign, "of another protocol"),
            (self.tls_only, "over TLS, which this client does not speak"),
            (self.left_out, "not in the part that this client connects to"),
        ];
        let mut any = false;
        for (count, kind) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{}{count} {kind}", if any { ", " } else { "" })?;
            any = true;
        }
        if any { Ok(()) } else { f.write_str("none") }
    }
}
