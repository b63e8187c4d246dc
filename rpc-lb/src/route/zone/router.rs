//! The zone router.

use std::collections::BTreeMap;

use rpc_core::Call;

use super::ZoneConfig;
use crate::route::{Candidates, Population, RouteError, RouteKey, Router};

/// Keeps calls in their zone as far as there is room. See the [module](super).
///
/// # Cost
/// Where all calls stay at home, none; else one random number a call, or one hash where the balancer goes by a key.
#[derive(Debug, Clone)]
pub struct ZoneRouter {
    config: ZoneConfig,
}

impl ZoneRouter {
    /// For calls from a zone, with the default settings.
    ///
    /// # Errors
    /// If the zone is empty or longer than 256 bytes.
    pub fn new(zone: impl Into<String>) -> Result<Self, RouteError> {
        Self::with_config(ZoneConfig::new(zone))
    }

    /// With settings.
    ///
    /// # Errors
    /// If they make no sense; the error says which.
    pub fn with_config(config: ZoneConfig) -> Result<Self, RouteError> {
        config.check()?;
        Ok(Self { config })
    }

    /// What share of the callers a zone has, if that is known.
    fn callers(&self, zone: &str, zones: usize) -> f64 {
        let callers = &self.config.callers;
        if callers.is_empty() {
            #[allow(clippy::cast_precision_loss, reason = "there are a few zones")]
            return 1.0 / zones as f64;
        }
        let total: f64 = callers.values().map(|count| f64::from(*count)).sum();
        callers.get(zone).map_or(0.0, |count| f64::from(*count)) / total
    }
}

impl Router for ZoneRouter {
    fn name(&self) -> &'static str {
        "zone"
    }

    fn key(&self, _: &Call<'_>, _: &Population) -> RouteKey {
        RouteKey::Plain
    }

    fn narrow(&self, _: &RouteKey, _: &mut Candidates<'_>) {}

    #[allow(
        clippy::cast_precision_loss,
        reason = "counts of endpoints are far below 2^52"
    )]
    fn divide<'s>(&self, left: &Candidates<'s>) -> Vec<(f64, Candidates<'s>)> {
        let mut well = 0;
        // Those that say no zone are one of their own, which no caller is in.
        let mut weights = BTreeMap::<&str, f64>::new();
        for candidate in left.iter().filter(|candidate| candidate.is_well) {
            well += 1;
            let zone = candidate.instance.zone.as_deref().unwrap_or_default();
            *weights.entry(zone).or_default() += f64::from(candidate.instance.weight);
        }
        let total: f64 = weights.values().sum();
        let panics = (well as f64) < self.config.panic * left.len() as f64;
        if well < self.config.min_endpoints || panics || total <= 0.0 {
            return Vec::new();
        }
        let own = &*self.config.zone;
        let mut zones = weights.keys().filter(|zone| !zone.is_empty()).count();
        if !weights.contains_key(own) {
            // There are callers here, if no endpoints.
            zones += 1;
        }
        let callers = |zone: &str| {
            if zone.is_empty() {
                0.0
            } else {
                self.callers(zone, zones)
            }
        };
        let endpoints = |zone: &str| weights.get(zone).copied().unwrap_or_default() / total;
        let part = |zone: &str, reason: String| {
            let mut part = left.clone();
            // The well ones alone: that few of a zone are, is no reason to call its sick ones.
            part.retain(|candidate| {
                candidate.is_well && candidate.instance.zone.as_deref().unwrap_or_default() == zone
            });
            part.because(reason);
            part
        };

        let (u, o) = (endpoints(own), callers(own));
        // A hair's breadth more callers than endpoints is rounding.
        if u > 0.0 && u + 1e-9 >= o {
            return vec![(1.0, part(own, format!("zone `{own}` has room for all its calls")))];
        }
        let stay = if o > 0.0 { u / o } else { 0.0 };
        let others = || weights.keys().copied().filter(|zone| *zone != own);
        let room = |zone: &str| (endpoints(zone) - callers(zone)).max(0.0);
        let mut spare: f64 = others().map(room).sum();
        let has_room = spare > 1e-9;
        if !has_room {
            spare = others().map(endpoints).sum();
        }
        let stays = format!("zone `{own}` has room for a part of its calls");
        let mut parts = vec![(stay, part(own, stays))];
        for zone in others() {
            let its = if has_room { room(zone) } else { endpoints(zone) };
            let reason = format!("zone `{zone}` has room for others");
            parts.push(((1.0 - stay) * its / spare, part(zone, reason)));
        }
        parts
    }
}
