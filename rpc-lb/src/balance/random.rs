//! Any one, the heavier the likelier.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Balancer, PickRequest, Picker, draws::Draws, shares::Shares};
use crate::Endpoint;

/// Draws an endpoint by weight.
///
/// Shares are right in the long run only; calls that follow each other may go to the same one.
/// [`Weighted`](super::Weighted) costs as much and spreads them. This one is for many clients that call seldom: they need
/// not agree on anything not to fall into step.
#[derive(Debug, Clone, Default)]
pub struct Random {
    draws: Draws,
}

impl Random {
    /// On random numbers of the thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// On random numbers that are the same for the same order of picks.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.draws = Draws::seeded(seed);
        self
    }
}

impl Balancer for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Drawn {
            draws: self.draws.clone(),
            shares: Shares::new(endpoints),
        })
    }

    fn needs_latency(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Drawn {
    draws: Draws,
    shares: Shares,
}

impl Picker for Drawn {
    fn pick(&self, _: &PickRequest<'_, '_>) -> usize {
        self.shares.at(self.draws.two().0)
    }

    fn refresh(&self, endpoints: &[Arc<Endpoint>], _: Instant) {
        self.shares.refresh(endpoints);
    }
}
