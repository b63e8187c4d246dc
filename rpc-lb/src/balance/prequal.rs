//! Hot or cold, then fast.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use tokio::time::Instant;

use super::{Balancer, InvalidBalancer, PickRequest, Picker, draws::Draws, peers::Peers, shares::Shares};
use crate::Endpoint;

/// Draws a few endpoints, leaves out those with many calls in flight, and takes the one with the least latency: Prequal's rule
/// (Wydrowski, Kleinberg, Rumble, Archer: "Load is not what you should balance: Introducing Prequal", NSDI 2024).
///
/// # The rule
/// An endpoint is hot if its calls in flight, those of other clients included, are above a
/// [quantile](PrequalConfig::quantile) of what is seen of all; else cold. Of the cold ones drawn, that with the least latency; if
/// all are hot, that with the fewest calls in flight.
///
/// # No probes
/// The paper asks servers by probes, keeps the answers in a pool, and reuses them within limits. Here what they would say
/// rides on the answers to calls: calls in flight in the load report (see [`rpc_core::load`]), latency as it was measured. So
/// every endpoint's entry is always the newest that there is, and there is no pool to keep, no entry to age and no traffic
/// beside the calls. What it costs: an endpoint that gets no calls says nothing. Its latency estimate decays until it is
/// drawn into a call again, and a report older than [`report_age_ms`](PrequalConfig::report_age_ms) gives way to what
/// this client has in flight there itself. Servers that report nothing are judged by that alone.
///
/// An endpoint that fails is not as idle as it looks: its latency counts as divided by the square of its reliability, as
/// [`P2c`](super::P2c) does it.
///
/// # Cost of a pick
/// As many endpoints looked at as are drawn, however many there are. The quantile is tracked by one number, which each look
/// moves up or down a little (stochastic approximation): no list is sorted.
#[derive(Debug, Clone, Default)]
pub struct Prequal {
    config: PrequalConfig,
    draws: Draws,
    /// The tracked quantile, f32: shared by all lists.
    bound: Arc<AtomicU32>,
}

/// Settings of [`Prequal`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PrequalConfig {
    /// How many endpoints are drawn: 2 to 16. Default: 3, the paper's probes for each call.
    pub choices: u32,
    /// The share of endpoints that are cold: 0 to 1. 0 looks at calls in flight only, 1 at latency only. Default: 0.84, the
    /// paper's.
    pub quantile: f32,
    /// How old a report of calls in flight may be, in milliseconds. Default: 1000, the age of the paper's probes.
    pub report_age_ms: u64,
}

impl Default for PrequalConfig {
    fn default() -> Self {
        Self {
            choices: 3,
            quantile: 0.84,
            report_age_ms: 1000,
        }
    }
}

impl Prequal {
    /// As settings say.
    ///
    /// # Errors
    /// If one is out of range.
    pub fn new(config: PrequalConfig) -> Result<Self, InvalidBalancer> {
        if !(2..=16).contains(&config.choices) {
            let problem = format!("is {}: 2 to 16 are wanted", config.choices);
            return Err(InvalidBalancer::new("choices", problem));
        }
        if !(0.0..=1.0).contains(&config.quantile) {
            let problem = format!("is {}: 0 to 1 is wanted", config.quantile);
            return Err(InvalidBalancer::new("quantile", problem));
        }
        Ok(Self {
            config,
            draws: Draws::default(),
            bound: Arc::default(),
        })
    }

    /// On random numbers that are the same for the same order of picks.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.draws = Draws::seeded(seed);
        self
    }
}

impl Balancer for Prequal {
    fn name(&self) -> &'static str {
        "prequal"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Rule {
            prequal: self.clone(),
            shares: Shares::new(endpoints),
            peers: Peers::default(),
        })
    }
}

#[derive(Debug)]
struct Rule {
    prequal: Prequal,
    shares: Shares,
    peers: Peers,
}

/// What is known of one that was drawn.
struct Look {
    index: usize,
    in_flight: f32,
    latency: f32,
}

impl Picker for Rule {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let bound = f32::from_bits(self.prequal.bound.load(Ordering::Relaxed));
        let mut best: Option<Look> = None;
        let mut left = self.prequal.config.choices;
        // One more of an odd number is not drawn.
        while left > 0 {
            let (one, other) = self.shares.two(&self.prequal.draws);
            for index in [one, other].into_iter().take(left as usize) {
                let look = self.look(request.endpoints, index, request.now);
                self.track(look.in_flight);
                best = Some(match best {
                    Some(best) if !is_better(&look, &best, bound) => best,
                    _ => look,
                });
            }
            left = left.saturating_sub(2);
        }
        best.map_or(0, |best| best.index)
    }

    fn refresh(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        self.shares.refresh(endpoints);
        self.peers.compare(endpoints, now);
    }
}

/// Whether the first is to be preferred.
fn is_better(look: &Look, best: &Look, bound: f32) -> bool {
    match (look.in_flight <= bound, best.in_flight <= bound) {
        (true, true) => look.latency < best.latency,
        (false, false) => look.in_flight < best.in_flight,
        (is_cold, _) => is_cold,
    }
}

/// What reliability counts as at least.
const LEAST: f32 = 0.01;

impl Rule {
    #[allow(clippy::cast_precision_loss, reason = "far fewer than a float can tell apart")]
    fn look(&self, endpoints: &[Arc<Endpoint>], index: usize, now: Instant) -> Look {
        let Some(endpoint) = endpoints.get(index) else {
            return Look {
                index,
                in_flight: f32::MAX,
                latency: f32::MAX,
            };
        };
        let stats = endpoint.stats();
        let own = stats.in_flight() as f32;
        let fresh = Duration::from_millis(self.prequal.config.report_age_ms);
        let reported = stats.reported(now).filter(|(_, age)| *age <= fresh);
        let reported = reported.map_or(0.0, |(reported, _)| reported.in_flight);
        let latency = stats
            .latency(now)
            .or_else(|| self.peers.latency(stats))
            // Where nobody's is known, one is as good as another, unless its calls fail.
            .unwrap_or(1.0);
        let reliability = stats.reliability(now).max(LEAST);
        Look {
            index,
            in_flight: reported.max(own),
            latency: latency / (reliability * reliability),
        }
    }

    /// Moves the tracked quantile towards where it belongs.
    fn track(&self, in_flight: f32) {
        let quantile = self.prequal.config.quantile;
        let bound = f32::from_bits(self.prequal.bound.load(Ordering::Relaxed));
        // A part of where it is, so that it follows a load of thousands as fast as one of ten.
        let step = bound.max(1.0) / 32.0;
        let moved = if in_flight > bound {
            bound + step * quantile
        } else {
            (bound - step * (1.0 - quantile)).max(0.0)
        };
        self.prequal.bound.store(moved.to_bits(), Ordering::Relaxed);
    }
}
