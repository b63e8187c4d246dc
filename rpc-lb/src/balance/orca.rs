//! By what the endpoints say of their load.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rpc_registry::InstanceId;
use serde::Deserialize;
use tokio::time::Instant;

use super::{
    Balancer, InvalidBalancer, PickRequest, Picker,
    draws::GOLDEN,
    shares::Shares,
    turns::{Turn, Turns},
};
use crate::Endpoint;

/// Gives each endpoint calls by what it says that it can do: weighted round robin on ORCA load reports (gRPC's proposal A58).
///
/// # The weight
/// ```text
/// rps / (utilization + eps / rps * penalty)
/// ```
/// of the last report of a load: calls and errors in a second, and the utilization that the application reports, or else that
/// of the CPU. An endpoint that does many calls with little is given more. It is multiplied with the endpoint's own weight, so
/// that a young or unwell one gets less.
///
/// A report counts once they have come for [`blackout_ms`](OrcaConfig::blackout_ms), and for no longer than
/// [`expiry_ms`](OrcaConfig::expiry_ms). One without calls or without utilization says nothing: what was said before still
/// counts. Whoever has no weight gets the mean of the others. While fewer than two have one, all take turns by their own
/// weights.
///
/// # Cost
/// That of [`Weighted`](super::Weighted). Weights are worked out once a second.
#[derive(Debug, Clone)]
pub struct Orca {
    config: OrcaConfig,
    turns: Turns,
    /// What endpoints have said, by id and by when they were first seen: one that comes back begins anew. Not on the way of
    /// calls: lists are made and refreshed with it.
    said: Arc<Mutex<HashMap<(InstanceId, Instant), Said>>>,
}

/// What an endpoint has said of its load.
#[derive(Debug, Clone, Copy)]
struct Said {
    /// Since when reports come.
    since: Instant,
    /// The last one, and the weight by it.
    last: Instant,
    weight: f32,
}

/// Settings of [`Orca`].
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct OrcaConfig {
    /// How long reports must have come before they count, in milliseconds: a server that has just started says little that is
    /// true. Default: 10,000.
    pub blackout_ms: u64,
    /// How old a report may be, in milliseconds, at least 1. Default: 180,000.
    pub expiry_ms: u64,
    /// How much a share of errors counts beside a share of utilization: 0 or more. Default: 1.
    pub penalty: f32,
}

impl Default for OrcaConfig {
    fn default() -> Self {
        Self {
            blackout_ms: 10_000,
            expiry_ms: 180_000,
            penalty: 1.0,
        }
    }
}

impl Orca {
    /// As settings say.
    ///
    /// # Errors
    /// If one is out of range.
    pub fn new(config: OrcaConfig) -> Result<Self, InvalidBalancer> {
        if !(config.penalty.is_finite() && config.penalty >= 0.0) {
            let problem = format!("is {}: 0 or more is wanted", config.penalty);
            return Err(InvalidBalancer::new("penalty", problem));
        }
        if config.expiry_ms == 0 {
            return Err(InvalidBalancer::new("expiry_ms", "is 0: 1 or more is wanted"));
        }
        Ok(Self {
            config,
            turns: Turns::starting_at(fastrand::u64(..)),
            said: Arc::default(),
        })
    }

    /// What the endpoints weigh now.
    fn weights(&self, endpoints: &[Arc<Endpoint>], now: Instant) -> Vec<f32> {
        let (blackout, expiry) = (self.config.blackout_ms, self.config.expiry_ms);
        let is_over = |since: Instant, millis: u64| {
            now.saturating_duration_since(since) >= Duration::from_millis(millis)
        };
        // Nothing panics while it is held.
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        // Also of endpoints that left, whichever list they were on.
        said.retain(|_, said| !is_over(said.last, expiry));
        let reported: Vec<_> = endpoints
            .iter()
            .map(|endpoint| {
                let key = (endpoint.id().clone(), endpoint.stats().first_seen());
                let said = match self.reported(endpoint, now) {
                    Some((weight, last)) if !is_over(last, expiry) => {
                        let since = said.get(&key).map_or(now, |said| said.since);
                        let new = Said { since, last, weight };
                        said.insert(key, new);
                        new
                    }
                    _ => *said.get(&key)?,
                };
                is_over(said.since, blackout).then_some(said.weight)
            })
            .collect();
        drop(said);
        let known: Vec<_> = reported.iter().flatten().copied().collect();
        let others = if known.len() < 2 { None } else { mean(&known) };
        let own = endpoints.iter().map(|endpoint| endpoint.weight());
        own.zip(reported)
            .map(|(own, reported)| match others {
                None => own,
                Some(others) => own * reported.unwrap_or(others),
            })
            .collect()
    }

    /// The weight by the last report, and when that came; `None` if it says nothing of a load.
    fn reported(&self, endpoint: &Endpoint, now: Instant) -> Option<(f32, Instant)> {
        let (report, age) = endpoint.stats().reported(now)?;
        let used = if report.application > 0.0 {
            report.application
        } else {
            report.cpu
        };
        if report.rps <= 0.0 || used <= 0.0 {
            return None;
        }
        let weight = report.rps / (used + report.eps / report.rps * self.config.penalty);
        weight
            .is_finite()
            .then(|| (weight, now.checked_sub(age).unwrap_or(now)))
    }
}

#[allow(clippy::cast_precision_loss, reason = "far fewer than a float can tell apart")]
fn mean(values: &[f32]) -> Option<f32> {
    (!values.is_empty()).then(|| values.iter().sum::<f32>() / values.len() as f32)
}

impl Balancer for Orca {
    fn name(&self) -> &'static str {
        "orca"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        let weights = self.weights(endpoints, Instant::now());
        Box::new(InTurn {
            turn: self.turns.of_a_list(),
            shares: Shares::of(weights.into_iter()),
            orca: self.clone(),
        })
    }

    fn needs_latency(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct InTurn {
    turn: Turn,
    orca: Orca,
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

    fn refresh(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        self.shares
            .take_over(self.orca.weights(endpoints, now).into_iter());
    }
}
