//! What the endpoints of a list have in common.

use std::sync::Arc;

use tokio::time::Instant;

use crate::Endpoint;

/// Tells each endpoint what its peers take, if that has changed by more than a part in sixteen.
pub(super) fn compare(endpoints: &[Arc<Endpoint>], now: Instant) {
    let known = endpoints
        .iter()
        .filter_map(|endpoint| endpoint.stats().latency(now));
    let Some(median) = median(known.collect()) else {
        return;
    };
    for endpoint in endpoints {
        let stats = endpoint.stats();
        let before = stats.peers_latency().unwrap_or(0.0);
        if (median - before).abs() > before / 16.0 {
            stats.set_peers_latency(median);
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
