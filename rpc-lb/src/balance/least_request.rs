//! The least busy of a few.

use std::sync::Arc;

use serde::Deserialize;
use tokio::time::Instant;

use super::{Balancer, InvalidBalancer, PickRequest, Picker, draws::Draws, shares::Shares};
use crate::Endpoint;

/// Settings of [`LeastRequest`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LeastRequestConfig {
    /// How many endpoints are drawn for each call: 2 to 10. Default: 2. More make hot spots rarer and herds likelier.
    pub choices: u8,
    /// If set, endpoints of unequal weight are treated as Envoy does: one counts by its weight divided by its calls in
    /// flight plus one, raised to this power; 0 leaves calls in flight out. 0 to 10. Default: not set; then the one wins
    /// that has the fewest calls in flight for its weight.
    pub active_request_bias: Option<f32>,
}

impl Default for LeastRequestConfig {
    fn default() -> Self {
        Self {
            choices: 2,
            active_request_bias: None,
        }
    }
}

/// Draws a few endpoints by weight, and takes the one with the fewest calls of this client in flight, for its weight: gRPC's
/// A48, Envoy's `LEAST_REQUEST`.
///
/// It needs to know no latency, and with it nobody can seem fast who is not: calls at a slow endpoint stay in flight for
/// longer. One that fails fast attracts them, though: it never has any in flight.
///
/// # Weights
/// Who is drawn has them, so that idle endpoints get exactly their shares.
///
/// # Cost of a pick
/// One random number and one endpoint looked at for each choice, however many there are.
#[derive(Debug, Clone, Default)]
pub struct LeastRequest {
    config: LeastRequestConfig,
    draws: Draws,
}

impl LeastRequest {
    /// Configured.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn new(config: LeastRequestConfig) -> Result<Self, InvalidBalancer> {
        if !(2..=10).contains(&config.choices) {
            return Err(InvalidBalancer::new(
                "choices",
                format!("is {}: 2 to 10 are wanted", config.choices),
            ));
        }
        if let Some(bias) = config.active_request_bias
            && !(0.0..=10.0).contains(&bias)
        {
            return Err(InvalidBalancer::new(
                "active_request_bias",
                format!("is {bias}: 0 to 10 is wanted"),
            ));
        }
        Ok(Self {
            config,
            draws: Draws::default(),
        })
    }

    /// On random numbers that are the same for the same order of picks.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.draws = Draws::seeded(seed);
        self
    }
}

impl Balancer for LeastRequest {
    fn name(&self) -> &'static str {
        "least_request"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Least {
            config: self.config,
            draws: self.draws.clone(),
            shares: Shares::new(endpoints),
        })
    }

    fn needs_latency(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Least {
    config: LeastRequestConfig,
    draws: Draws,
    shares: Shares,
}

impl Picker for Least {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let draw = || self.shares.at(self.draws.two().0);
        if let Some(bias) = self.config.active_request_bias
            && !self.shares.are_even()
        {
            // Independent draws: only then do equally busy ones get their shares.
            let more = (1..self.config.choices).map(|_| draw());
            return self.by_chance(bias, draw(), more, request.endpoints);
        }
        let (one, other) = self.shares.two(&self.draws);
        let more = (2..self.config.choices).map(|_| draw());
        self.fewest(one, [other].into_iter().chain(more), request.endpoints)
    }

    fn refresh(&self, endpoints: &[Arc<Endpoint>], _: Instant) {
        self.shares.refresh(endpoints);
    }
}

impl Least {
    #[inline]
    fn fewest(&self, one: usize, drawn: impl Iterator<Item = usize>, endpoints: &[Arc<Endpoint>]) -> usize {
        let busy = |index: usize| {
            endpoints.get(index).map_or(f32::MAX, |endpoint| {
                self.shares.relative(endpoint.stats().in_flight(), endpoint)
            })
        };
        let (mut best, mut least) = (one, busy(one));
        for index in drawn {
            let busy = busy(index);
            if busy < least {
                (best, least) = (index, busy);
            }
        }
        best
    }

    /// Envoy's rule: that who is drawn has the weight, the draw among them the rest.
    #[allow(clippy::cast_precision_loss, reason = "far fewer than a float can tell apart")]
    fn by_chance(
        &self,
        bias: f32,
        one: usize,
        drawn: impl Iterator<Item = usize>,
        endpoints: &[Arc<Endpoint>],
    ) -> usize {
        let chance = |index: usize| {
            endpoints.get(index).map_or(0.0, |endpoint| {
                (endpoint.stats().in_flight() as f32 + 1.0).powf(-bias)
            })
        };
        let (mut best, mut sum) = (one, chance(one));
        for index in drawn {
            let chance = chance(index);
            sum += chance;
            if self.draws.unit() * sum < chance {
                best = index;
            }
        }
        best
    }
}
