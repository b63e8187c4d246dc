//! The one that should answer first.

use std::sync::Arc;

use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Balancer, InvalidBalancer, PickRequest, Picker, draws::Draws, peers, ratings::Ratings, shares::Shares,
};
use crate::{Endpoint, endpoint::Recent};

/// Settings of [`ShortestResponse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct ShortestResponseConfig {
    /// How many endpoints are drawn for each call: 2 to 10. Default: 3.
    pub choices: u8,
}

/// The most endpoints that are drawn.
const MOST: usize = 10;

impl Default for ShortestResponseConfig {
    fn default() -> Self {
        Self { choices: 3 }
    }
}

/// Draws a few endpoints by weight, and takes the one whose mean latency, times its calls in flight, is the least: Dubbo's
/// `ShortestResponseLoadBalance`.
///
/// The mean is of the last ten to twenty seconds, and as old as a second. Beside [`P2c`](super::P2c), which a single slow
/// answer turns away for a while, this one minds what an endpoint does on the whole, and is as slow to learn.
///
/// What Dubbo does and this does not: look at all endpoints for each call, which costs more the more there are, and makes
/// all clients go to the same one at once. An endpoint whose calls fail counts as slower by the square of the share of them
/// that succeed; Dubbo counts failures as nothing, and likes who fails fast.
///
/// # Weights
/// Who is drawn has them, and of equal ones the first one drawn is taken, so that idle endpoints that are equally fast get
/// exactly their shares. Calls in flight count in proportion to them.
#[derive(Debug, Clone, Default)]
pub struct ShortestResponse {
    config: ShortestResponseConfig,
    draws: Draws,
}

impl ShortestResponse {
    /// Configured.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn new(config: ShortestResponseConfig) -> Result<Self, InvalidBalancer> {
        if !(2..=MOST).contains(&usize::from(config.choices)) {
            return Err(InvalidBalancer::new(
                "choices",
                format!("is {}: 2 to {MOST} are wanted", config.choices),
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

impl Balancer for ShortestResponse {
    fn name(&self) -> &'static str {
        "shortest_response"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        for endpoint in endpoints {
            endpoint.stats().watch();
        }
        Box::new(Shortest {
            config: self.config,
            draws: self.draws.clone(),
            shares: Shares::new(endpoints),
            means: Ratings::new(endpoints),
        })
    }
}

#[derive(Debug)]
struct Shortest {
    config: ShortestResponseConfig,
    draws: Draws,
    shares: Shares,
    means: Ratings,
}

impl Picker for Shortest {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let (one, other) = self.shares.two(&self.draws);
        let mut drawn = [one; MOST];
        let drawn = &mut drawn[..usize::from(self.config.choices)];
        drawn[1] = other;
        for more in &mut drawn[2..] {
            *more = self.shares.at(self.draws.two().0);
        }
        // One that is not rated yet is as the others are.
        let usual = drawn
            .iter()
            .find_map(|index| self.means.at(*index))
            .unwrap_or(1.0);
        let cost = |index: usize| {
            request.endpoints.get(index).map_or(f32::MAX, |endpoint| {
                let busy = self.shares.relative(endpoint.stats().in_flight(), endpoint) + 1.0;
                self.means.at(index).unwrap_or(usual) * busy
            })
        };
        let (mut best, mut least) = (one, cost(one));
        for index in &drawn[1..] {
            let cost = cost(*index);
            if cost < least {
                (best, least) = (*index, cost);
            }
        }
        best
    }

    fn refresh(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        self.shares.refresh(endpoints);
        let recents: Vec<_> = endpoints
            .iter()
            .map(|endpoint| endpoint.stats().recent(now))
            .collect();
        let known = recents.iter().filter(|recent| recent.has_latency());
        let median = peers::median(known.map(|recent| recent.mean).collect());
        let rating = |recent: &Recent| {
            let mean = if recent.has_latency() {
                recent.mean
            } else {
                // One without a history is as its peers are; if nobody has one, all are alike.
                median.unwrap_or(1.0)
            };
            let success = (1.0 - recent.error_rate()).max(0.01);
            mean / (success * success)
        };
        self.means.refresh(endpoints, recents.iter().map(rating));
    }
}
