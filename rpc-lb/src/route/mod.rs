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
//! # Nobody left
//! Each router says in its documentation what it does where none of the endpoints fits: some leave the candidates as they
//! were, some leave none. Then the call fails with UNAVAILABLE, reason `NO_ENDPOINT_AFTER_ROUTER`, not processed, and the
//! status says which router it was, for which reason, and how many endpoints there were.

mod candidates;
mod chain;
mod key;
pub mod lane;
mod population;

use std::fmt;

use rpc_core::Call;

pub(crate) use self::chain::Chain;
pub use self::{
    candidates::{Candidate, Candidates},
    chain::Step,
    key::RouteKey,
    lane::LaneRouter,
    population::Population,
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
}
