//! Everything that is known of an endpoint, as points out of ten.
//!
//! # The score
//! Each [part](PartKind) is judged from 0 to 1 and counts as many points as [`SmartConfig`] says:
//!
//! | part | from | all points | no points | by default |
//! | --- | --- | --- | --- | --- |
//! | `cpu` | report | idle | full load | 2 |
//! | `cores` | report | as many free as the best tenth has | none free | 0.5 |
//! | `memory` | report | up to 80 % in use | 100 % | 0.5 |
//! | `mean` | calls | as fast as the best tenth; half at twice the time | | 1.5 |
//! | `tp99` | calls | the same | | 1 |
//! | `tp999` | calls | the same | | 0.5 |
//! | `errors` | calls | none | 20 % and more | 2 |
//! | `in_flight` | report, else calls | as few as the best tenth has; half with twice as many and one | | 1 |
//! | `state` | weight | all of its weight: neither young nor sub-healthy | none of it | 1 |
//!
//! What nobody knows, an endpoint without a report or without calls yet, is left out, and the others are scaled: an endpoint
//! that says nothing is judged by what this client sees of it. Reports are ORCA's (gRPC's A51), latencies and errors are of
//! the last ten to twenty seconds. [`Smart::scores`] shows them: `7.4 of 10: cpu 1.8/2.0, ...`.
//!
//! # The pick
//! Scores are worked out once a second, beside those that the same requests may go to. A pick draws two endpoints by weight, and
//! takes the one for which
//! ```text
//! (in_flight * mean_weight / weight + 1) / (score * reliability)^2
//! ```
//! is less, as [`P2c`](super::P2c) does: two rather than the best of all, or all clients would send all calls of a second to
//! the same one. One with most of the weight is often drawn twice, and gets the call then. `state` is in the draw, where half of
//! a weight is half of the calls; in the comparison it would be none at all, so there it counts as whole. What changes within
//! that second are this client's own calls in flight, and `reliability`, the share of calls that ended well: an endpoint that
//! begins to fail is idle, and would look better until the next report.
//!
//! # When to take it
//! Where servers report, and are not alike: machines with other work on them, or of several sizes. It learns within
//! seconds; [`P2c`](super::P2c) learns within a call.

mod config;
mod facts;
mod score;

use std::sync::Arc;

use tokio::time::Instant;

use self::facts::Facts;
pub use self::{
    config::SmartConfig,
    score::{Part, PartKind, Score},
};
use super::{Balancer, InvalidBalancer, PickRequest, Picker, draws::Draws, ratings::Ratings, shares::Shares};
use crate::Endpoint;

/// Picks by a score of everything that is known. See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Smart {
    config: SmartConfig,
    draws: Draws,
}

impl Smart {
    /// Configured.
    ///
    /// # Errors
    /// If a setting is out of range.
    pub fn new(config: SmartConfig) -> Result<Self, InvalidBalancer> {
        config.check()?;
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

    /// The score of each endpoint of a list, as it is now. Latencies and errors are known of those that a picker of this or
    /// another balancer that needs them was made for.
    pub fn scores(&self, endpoints: &[Arc<Endpoint>], now: Instant) -> Vec<Score> {
        facts::scores(&facts(endpoints, &self.config, now), &self.config).collect()
    }
}

fn facts(endpoints: &[Arc<Endpoint>], config: &SmartConfig, now: Instant) -> Vec<Facts> {
    endpoints
        .iter()
        .map(|endpoint| Facts::of(endpoint, config, now))
        .collect()
}

impl Balancer for Smart {
    fn name(&self) -> &'static str {
        "smart"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        for endpoint in endpoints {
            endpoint.stats().watch();
        }
        Box::new(ByScore {
            config: self.config,
            draws: self.draws.clone(),
            shares: Shares::new(endpoints),
            scores: Ratings::new(endpoints),
        })
    }
}

#[derive(Debug)]
struct ByScore {
    config: SmartConfig,
    draws: Draws,
    shares: Shares,
    scores: Ratings,
}

/// What score and reliability count as at least: one that has nothing to show is tried now and then.
const LEAST: f32 = 0.01;

impl ByScore {
    /// What it costs to pick an endpoint of that score.
    #[inline]
    fn cost(&self, score: f32, endpoint: &Endpoint, now: Instant) -> f32 {
        let stats = endpoint.stats();
        let worth = (score / 10.0 * stats.reliability(now)).max(LEAST);
        (self.shares.relative(stats.in_flight(), endpoint) + 1.0) / (worth * worth)
    }
}

impl Picker for ByScore {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let (one, other) = self.shares.two(&self.draws);
        if one == other {
            return one;
        }
        let (Some(first), Some(second)) = (request.endpoints.get(one), request.endpoints.get(other)) else {
            return one;
        };
        // One that is not rated yet is as its rival is.
        let (score, rival) = (self.scores.at(one), self.scores.at(other));
        let score = score.or(rival).unwrap_or(10.0);
        let rival = rival.unwrap_or(score);
        // Equal ones: who was drawn first.
        if self.cost(rival, second, request.now) < self.cost(score, first, request.now) {
            other
        } else {
            one
        }
    }

    fn refresh(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        self.shares.refresh(endpoints);
        let facts = facts(endpoints, &self.config, now);
        let scores = facts::scores(&facts, &self.config);
        // None at all would be "not rated".
        let ratings = scores.map(|score| score.without_state().max(LEAST));
        self.scores.refresh(endpoints, ratings);
    }
}
