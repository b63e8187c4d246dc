//! What the endpoints of a list have in common.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::time::Instant;

use crate::{Endpoint, endpoint::Stats};

/// What the endpoints of a list take: their median in nanoseconds, f32. 0: not known.
#[derive(Debug, Default)]
pub(super) struct Peers(AtomicU32);

impl Peers {
    /// For an endpoint that has no latency yet. Before the list was compared, what was found beside others counts.
    #[inline]
    pub(super) fn latency(&self, stats: &Stats) -> Option<f32> {
        let median = f32::from_bits(self.0.load(Ordering::Relaxed));
        if median > 0.0 {
            Some(median)
        } else {
            stats.peers_latency()
        }
    }

    /// Compares them, and tells each what its peers take, if that has changed by more than a part in sixteen.
    pub(super) fn compare(&self, endpoints: &[Arc<Endpoint>], now: Instant) {
        let known = endpoints
            .iter()
            .filter_map(|endpoint| endpoint.stats().latency(now));
        let Some(median) = median(known.collect()) else {
            return;
        };
        self.0.store(median.to_bits(), Ordering::Relaxed);
        for endpoint in endpoints {
            let stats = endpoint.stats();
            let before = stats.peers_latency().unwrap_or(0.0);
            if (median - before).abs() > before / 16.0 {
                stats.set_peers_latency(median);
            }
        }
    }
}

/// The middle one; `None` of nothing.
pub(super) fn median(values: Vec<f32>) -> Option<f32> {
    quantile(values, 1, 2)
}

/// The one below which `part` of `parts` are; `None` of nothing.
pub(super) fn quantile(mut values: Vec<f32>, part: usize, parts: usize) -> Option<f32> {
    let place = values.len() * part / parts;
    if place >= values.len() {
        return None;
    }
    let (_, value, _) = values.select_nth_unstable_by(place, f32::total_cmp);
    Some(*value)
}
