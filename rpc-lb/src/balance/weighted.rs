//! In turn, the heavier the more often.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    Balancer, PickRequest, Picker,
    draws::GOLDEN,
    shares::Shares,
    turns::{Turn, Turns},
};
use crate::Endpoint;

/// Gives each endpoint its share of the calls by weight, spread evenly. Without chance, and without a lock.
///
/// # How
/// The n-th call goes to the endpoint in whose [interval](super) the fractional part of n times the golden ratio lies. That
/// sequence fills any interval evenly: of any run of calls an endpoint gets its share, give or take two or three (the
/// discrepancy of Weyl's sequence, which the golden ratio makes smallest), and there are at most three different gaps
/// between its turns (the three-distance theorem). Endpoints of one weight take turns exactly.
///
/// Smooth weighted round robin as nginx does it spreads as well, but looks at all endpoints for each call, under a lock; a
/// static stride, as gRPC does it, rejects candidates for as long as the heaviest is heavier than the mean.
///
/// # Cost
/// One atomic addition and a look-up, however many endpoints there are and whatever they weigh. Weights are looked at once a
/// second.
#[derive(Debug, Clone)]
pub struct Weighted(Turns);

impl Weighted {
    /// Begins anywhere: many clients that start at once do not all begin at the same endpoint.
    pub fn new() -> Self {
        Self::starting_at(fastrand::u64(..))
    }

    /// The first list that is called begins at a certain turn.
    pub fn starting_at(turn: u64) -> Self {
        Self(Turns::starting_at(turn))
    }
}

impl Default for Weighted {
    fn default() -> Self {
        Self::new()
    }
}

impl Balancer for Weighted {
    fn name(&self) -> &'static str {
        "weighted"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(InTurn {
            turn: self.0.of_a_list(),
            shares: Shares::new(endpoints),
        })
    }

    fn needs_latency(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct InTurn {
    turn: Turn,
    shares: Shares,
}

impl Picker for InTurn {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let turn = self.turn.next();
        if self.shares.are_even() {
            return (turn % request.endpoints.len() as u64) as usize;
        }
        self.shares.at((turn.wrapping_mul(GOLDEN) >> 32) as u32)
    }

    fn refresh(&self, endpoints: &[Arc<Endpoint>], _: Instant) {
        self.shares.refresh(endpoints);
    }
}
