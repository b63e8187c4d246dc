//! One after the other.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{Balancer, PickRequest, Picker};
use crate::Endpoint;

/// Gives each endpoint a call in turn. Weights are not looked at.
///
/// # Cost
/// One atomic addition. When endpoints come or go, the turn goes on from the same count in the new list; over a round
/// each endpoint has had its share.
#[derive(Debug)]
pub struct RoundRobin(Arc<AtomicUsize>);

impl RoundRobin {
    /// Begins at any endpoint: many clients that start at once do not all begin at the same one.
    pub fn new() -> Self {
        Self::starting_at(fastrand::usize(..))
    }

    /// Begins at a certain one.
    pub fn starting_at(turn: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(turn)))
    }
}

impl Balancer for RoundRobin {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn picker(&self, _: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Turn(Arc::clone(&self.0)))
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
struct Turn(Arc<AtomicUsize>);

impl Picker for Turn {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed) % request.endpoints.len()
    }
}
