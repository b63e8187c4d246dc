//! Which endpoints a request may go to.
//!
//! # A chain
//! A client has a chain of [`Router`]s. Each narrows what the one before has left. What is left at the end is what the
//! balancer picks from.
//!
//! # Nothing is narrowed twice
//! Narrowing looks at every endpoint, which no call could afford. So a router has two parts: [`Router::key`] says what of a
//! request matters, as a small value, and [`Router::narrow`] does the work for a key. The outcome is kept for as long as the
//! list of endpoints stays the same: calls whose keys are the same share it. A request that no router looks at costs one
//! call of `key` a router.
//!
//! # Shares
//! Where the calls of one key shall go to several lists, each with its share of them, a draw in the key would make as many
//! outcomes as there are draws. A router divides instead, by [`Router::divide`]: that is done once for an outcome as well, and
//! a call draws among the parts.
//!
//! # Nobody left
//! Each router says in its documentation what it does where none of the endpoints fits: some leave the candidates as they
//! were, some leave none. Then the call fails with UNAVAILABLE, reason `NO_ENDPOINT_AFTER_ROUTER`, not processed, and the
//! status says which router it was, for which reason, and how many endpoints there were.

mod candidates;
mod chain;
pub mod condition;
mod config;
mod draw;
pub(crate) mod error;
mod fact;
pub mod group;
mod key;
pub mod lane;
mod order;
mod outcome;
pub mod percentage;
mod population;
mod split;
pub mod tag;
mod target;
pub mod zone;

use std::fmt;

use rpc_core::Call;

pub use self::{
    candidates::{Candidate, Candidates},
    chain::Step,
    condition::ConditionRouter,
    config::RouteConfig,
    draw::{DrawKey, DrawKeyLayer},
    error::RouteError,
    fact::Fact,
    group::GroupRouter,
    key::RouteKey,
    lane::LaneRouter,
    order::Routers,
    percentage::PercentageRouter,
    population::Population,
    split::{Destination, Split},
    tag::TagRouter,
    target::TargetMatcher,
    zone::ZoneRouter,
};
pub(crate) use self::{
    chain::{Chain, Traffic},
    outcome::Outcome,
};

/// Narrows the endpoints for a request. See the [module](self).
pub trait Router: fmt::Debug + Send + Sync + 'static {
    /// What it is called in messages.
    fn name(&self) -> &str;

    /// What matters of a request. Requests with equal keys may go to the same endpoints.
    ///
    /// Runs at each call: it takes no lock and, as a rule, allocates nothing. There should be few different keys; what a caller
    /// can choose freely has to be mapped to something that the rules or the endpoints know. The outcomes of some
    /// hundreds of keys are kept, beyond that narrowing is done for each call.
    fn key(&self, call: &Call<'_>, population: &Population) -> RouteKey;

    /// Narrows the candidates for the requests of a key.
    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>);

    /// True if a [number of the request's own](rpc_core::matcher::RequestKey) may decide in [`key`](Self::key): requests get
    /// one then, before they are tried. Default: no.
    fn needs_request_key(&self) -> bool {
        false
    }

    /// Which facts of the instances [`key`](Self::key) looks up in the population. Asked once for each list of endpoints.
    /// Default: none.
    fn facts(&self) -> Vec<Fact> {
        Vec::new()
    }

    /// Divides what all routers have left: each part gets its share of the calls, relative to the others'. No part at all,
    /// which is the default, leaves it whole.
    ///
    /// The first router of a chain that divides is the only one. Parts without endpoints, and shares that are not positive
    /// numbers, are left out. Which part a call goes to is drawn by the [affinity](crate::Balancer::affinity) that its balancer
    /// sees in it, else at random. An attempt elsewhere, after an endpoint has refused, may go to any part. Where some of the
    /// endpoints are [nearer](crate::Near) than others, nothing is divided: the nearest get all calls.
    fn divide<'s>(&self, left: &Candidates<'s>) -> Vec<(f64, Candidates<'s>)> {
        let _ = left;
        Vec::new()
    }
}
