//! The better of two.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Balancer, PickRequest, Picker, draws::Draws, peers::Peers, shares::Shares};
use crate::Endpoint;

/// Draws two endpoints by weight, and takes the one that costs less: power of two choices (Mitzenmacher, 2001) on the peak
/// EWMA of latencies (Finagle).
///
/// # Cost
/// ```text
/// latency * (in_flight * mean_weight / weight + 1) / reliability^2
/// ```
/// `latency` is a peak EWMA with a time constant of ten seconds: a slow answer counts at once, and is forgotten slowly.
/// `reliability` is the share of calls that ended well; failures fade with the same constant. None makes an endpoint look faster
/// than it did when it was called last, nor, where most of its calls fail, than the peers' median: one that fails fast looks slow,
/// not fast. Failures are here also errors that say little by themselves, UNKNOWN say, and calls that were refused for lack of
/// capacity. Its square, and not more than 10,000 times the cost: one that fails always gets some calls again a few seconds
/// after it was found out, when [ejection](crate::health) does not keep it away for longer.
///
/// While calls are under way at an endpoint, time alone does not make it look faster than its rival: one is enough to see how it
/// does. One that hangs, after a pause in which all estimates have faded, would get call after call until the first deadline.
///
/// An endpoint without an answer yet costs as the median of its peers; before that is known, as its rival.
///
/// # Weights
/// Who is drawn has them; the comparison has them only where there are calls to compare. Endpoints that are idle, or equally
/// busy for their weight, and equally fast, get exactly their shares.
///
/// Where all weights are equal, the two always differ: the slower one of a pair gets nothing. Where they differ, an endpoint
/// that is drawn twice gets the call without a comparison. One with a share `p` of three quarters and less is hardly ever,
/// since another one is looked for three more times: however slow it is, it keeps `p^5` of the calls, a thousandth with a
/// quarter of the weight. One with more keeps `p^2`, nearly all with nearly all of the weight: whoever weighs it like that
/// wants it to have most of the calls, and the others to have little more than their shares. [Ejection](crate::health) takes
/// it out if it is sick.
///
/// Where weights differ, latencies within a quarter of each other count as equal: an estimate fades while no call ends, and
/// whoever is called seldom would look faster for that alone.
///
/// # Cost of a pick
/// One random number, and two endpoints looked at, however many there are.
#[derive(Debug, Clone, Default)]
pub struct P2c {
    draws: Draws,
}

impl P2c {
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

impl Balancer for P2c {
    fn name(&self) -> &'static str {
        "p2c"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Pair {
            draws: self.draws.clone(),
            shares: Shares::new(endpoints),
            peers: Peers::default(),
        })
    }
}

#[derive(Debug)]
struct Pair {
    draws: Draws,
    shares: Shares,
    peers: Peers,
}

impl Picker for Pair {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let (one, other) = self.shares.two(&self.draws);
        if one == other {
            return one;
        }
        let (Some(first), Some(second)) = (request.endpoints.get(one), request.endpoints.get(other)) else {
            return one;
        };
        let (look, rival) = (self.look(first, request.now), self.look(second, request.now));
        let left = look.latency.or(rival.latency).unwrap_or(1.0);
        let rival_left = rival.latency.unwrap_or(left);
        let latency = left.max(look.floor.min(rival_left));
        let mut rival_latency = rival_left.max(rival.floor.min(left));
        if !self.shares.are_even() && is_near(latency, rival_latency) {
            rival_latency = latency;
        }
        // Equal ones: who was drawn first.
        if rival_latency * rival.crowd < latency * look.crowd {
            other
        } else {
            one
        }
    }

    fn refresh(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        self.shares.refresh(endpoints);
        self.peers.compare(endpoints, now);
    }
}

/// What reliability counts as at least.
const LEAST: f32 = 0.01;
/// What an estimate has faded to in not quite three seconds.
const NEAR: f32 = 0.75;

/// True if it may be time alone that makes the difference.
#[inline]
fn is_near(one: f32, other: f32) -> bool {
    one >= other * NEAR && other >= one * NEAR
}

/// What there is to see of an endpoint.
struct Look {
    /// As far as it is known, and is not forgotten.
    latency: Option<f32>,
    /// What it was when it was learnt, while calls are under way; else 0.
    floor: f32,
    /// What it counts with.
    crowd: f32,
}

impl Pair {
    #[inline]
    fn look(&self, endpoint: &Endpoint, now: Instant) -> Look {
        let stats = endpoint.stats();
        let in_flight = stats.in_flight();
        let (latency, floor) = match stats.latency_and_last(now) {
            None => (self.peers.latency(stats), 0.0),
            Some((latency, last)) => (Some(latency), if in_flight > 0 { last } else { 0.0 }),
        };
        let reliability = stats.reliability(now).max(LEAST);
        let crowd = self.shares.relative(in_flight, endpoint) + 1.0;
        Look {
            latency,
            floor,
            crowd: crowd / (reliability * reliability),
        }
    }
}
