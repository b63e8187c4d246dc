//! Which of the endpoints that are left gets a call.
//!
//! # Two parts
//! A [`Balancer`] is a setting of a client. It makes a [`Picker`] for each list of endpoints that calls choose from: one for
//! all of them, one for those of a lane, and so on. A picker may work something out for its list once, a ring of hashes
//! say, and is asked at each call. Lists are immutable: when endpoints come or go there is another list and another picker.
//!
//! # Which one
//! | | looks at | keeps to weights | when |
//! | --- | --- | --- | --- |
//! | [`RoundRobin`] | nothing | no | all instances and all calls are alike |
//! | [`Weighted`] | nothing | exactly, and evenly spread | they differ in size, and in nothing else |
//! | [`Random`] | nothing | in the long run | many clients that call seldom |
//! | [`P2c`] | latency, failures, own calls in flight | of who is drawn | instances become slow, or fail |
//! | [`LeastRequest`] | own calls in flight | of who is drawn | calls differ a lot in how long they take |
//! | [`ShortestResponse`] | mean latency, failures, own calls in flight | of who is drawn | as in Dubbo |
//! | [`Smart`] | all of that, and what servers report | of who is drawn | servers report, and are not alike |
//! | [`Orca`] | what servers report | makes its own | servers report how much a call costs them |
//! | [`Prequal`] | calls in flight and latency, as servers report them | no | latency matters more than anything |
//! | [`RingHash`], [`Maglev`] | the call | of the keys | instances keep something of whom they serve |
//!
//! # Rules
//! A picker takes no lock and allocates nothing. It does no I/O and reads no clock: the request says what time it is. It
//! is asked only where there is a choice, so a list has two endpoints at least.

mod config;
mod draws;
pub mod hash;
mod least_request;
mod orca;
mod p2c;
mod peers;
mod prequal;
mod random;
mod ratings;
mod round_robin;
mod shares;
mod shortest_response;
pub mod smart;
mod turns;
mod weighted;

use std::{fmt, sync::Arc};

use rpc_core::Call;
use tokio::time::Instant;

pub use self::{
    config::{BalancerConfig, InvalidBalancer, NoSettings},
    hash::{HashKey, HashOf, LoadBound, Maglev, MaglevConfig, RingHash, RingHashConfig},
    least_request::{LeastRequest, LeastRequestConfig},
    orca::{Orca, OrcaConfig},
    p2c::P2c,
    prequal::{Prequal, PrequalConfig},
    random::Random,
    round_robin::RoundRobin,
    shortest_response::{ShortestResponse, ShortestResponseConfig},
    smart::{Smart, SmartConfig},
    weighted::Weighted,
};
use crate::Endpoint;

/// Makes pickers. See the [module](self).
pub trait Balancer: fmt::Debug + Send + Sync + 'static {
    /// The name of it in rules and in messages: `round_robin`.
    fn name(&self) -> &'static str;

    /// A picker for a list of endpoints.
    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker>;

    /// Makes sure that it can do its work for a client, whose builder asks for that. Default: it can.
    ///
    /// # Errors
    /// If a setting makes no sense there.
    fn check(&self) -> Result<(), InvalidBalancer> {
        Ok(())
    }

    /// Whether it needs to know how long calls take. The clock is read for those that do.
    fn needs_latency(&self) -> bool {
        true
    }

    /// The hash of what a call has in common with those that shall go where it goes. Where a router
    /// [divides](crate::Router::divide) the endpoints, they go to the same part by it. `None`, which is the default: to any.
    fn affinity(&self, call: &Call<'_>) -> Option<u64> {
        let _ = call;
        None
    }
}

/// What [`BalancerConfig::build`] makes goes wherever a balancer is wanted.
impl<B: Balancer + ?Sized> Balancer for Arc<B> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        (**self).picker(endpoints)
    }

    fn check(&self) -> Result<(), InvalidBalancer> {
        (**self).check()
    }

    fn needs_latency(&self) -> bool {
        (**self).needs_latency()
    }

    fn affinity(&self, call: &Call<'_>) -> Option<u64> {
        (**self).affinity(call)
    }
}

/// Picks from one list of endpoints. See the [module](self).
pub trait Picker: fmt::Debug + Send + Sync {
    /// The index of the endpoint for this call.
    ///
    /// An index beyond the list counts as modulo its length.
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize;

    /// Told about once a second while there are calls, and when weights have changed: what it works out from the endpoints'
    /// weights or reports can be worked out anew.
    fn refresh(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        let _ = (endpoints, now);
    }
}

/// What a picker is told of a call.
#[derive(Debug)]
#[non_exhaustive]
pub struct PickRequest<'r, 'c> {
    /// The call.
    pub call: &'r Call<'c>,
    /// What to choose from: the list that the picker was made for.
    pub endpoints: &'r [Arc<Endpoint>],
    /// The time.
    pub now: Instant,
    /// How many endpoints were tried for it before; 0 at first. A picker that always gives the same answer to the same call
    /// should give another one then.
    pub attempt: u32,
}

impl<'r, 'c> PickRequest<'r, 'c> {
    /// A first attempt.
    pub fn new(call: &'r Call<'c>, endpoints: &'r [Arc<Endpoint>], now: Instant) -> Self {
        Self {
            call,
            endpoints,
            now,
            attempt: 0,
        }
    }

    /// The same at another attempt.
    pub fn with_attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }
}
