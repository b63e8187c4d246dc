//! One after the other.

use std::sync::Arc;

use super::{
    Balancer, PickRequest, Picker,
    turns::{Turn, Turns},
};
use crate::Endpoint;

/// Gives each endpoint a call in turn. Weights are not looked at.
///
/// # Cost
/// One atomic addition. The endpoints of a lane, or that a rule names, take turns by themselves: over a round each of them
/// has had its share. When endpoints come or go, the new list begins somewhere else.
#[derive(Debug)]
pub struct RoundRobin(Turns);

impl RoundRobin {
    /// Begins at any endpoint: many clients that start at once do not all begin at the same one.
    pub fn new() -> Self {
        Self::starting_at(fastrand::usize(..))
    }

    /// The first list that is called begins at a certain one.
    pub fn starting_at(turn: usize) -> Self {
        Self(Turns::starting_at(turn as u64))
    }
}

impl Balancer for RoundRobin {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn picker(&self, _: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(InTurn(self.0.of_a_list()))
    }

    fn needs_latency(&self) -> bool {
        false
    }
}

impl Default for RoundRobin {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct InTurn(Turn);

impl Picker for InTurn {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        (self.0.next() % request.endpoints.len() as u64) as usize
    }
}
