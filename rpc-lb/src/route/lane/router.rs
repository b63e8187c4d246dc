//! The lane router.

use rpc_core::Call;

use super::{Fallback, InvalidLaneRule, LaneFallbacks};
use crate::route::{Candidates, Population, RouteKey, Router};

/// Sends each request to its lane, or where its lane falls back to. See the [module](super).
///
/// # Cost
/// A request without a lane costs one look. With one, the lanes of all endpoints are looked up, once for each fallback that
/// has to be tried.
#[derive(Debug, Clone, Default)]
pub struct LaneRouter {
    fallbacks: LaneFallbacks,
}

/// The key of requests that no endpoint may get.
const NOBODY: RouteKey = RouteKey::Number(0);

impl LaneRouter {
    /// Every lane falls back to the base lane.
    pub fn new() -> Self {
        Self::default()
    }

    /// With fallbacks of its own.
    ///
    /// # Errors
    /// If a list of fallbacks names its own lane, names one twice, or is longer than [`LaneFallbacks::MAX`].
    pub fn with_fallbacks(fallbacks: LaneFallbacks) -> Result<Self, InvalidLaneRule> {
        fallbacks.check()?;
        Ok(Self { fallbacks })
    }
}

impl Router for LaneRouter {
    fn name(&self) -> &'static str {
        "lane"
    }

    fn key(&self, call: &Call<'_>, population: &Population) -> RouteKey {
        let Some(lane) = call.context.lane() else {
            return RouteKey::Plain;
        };
        // The lane that is gone to, not the one that was asked for: a caller may ask for any.
        if population.has_lane(lane) {
            return RouteKey::Lane(lane.clone());
        }
        let fallbacks = self.fallbacks.lanes.get(lane).unwrap_or(&self.fallbacks.default);
        for fallback in fallbacks {
            match fallback {
                Fallback::Base => return RouteKey::Plain,
                Fallback::Lane(lane) if population.has_lane(lane) => return RouteKey::Lane(lane.clone()),
                Fallback::Lane(_) => {}
            }
        }
        NOBODY
    }

    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>) {
        match key {
            RouteKey::Lane(lane) => {
                candidates.retain(|candidate| candidate.instance.lane.as_ref() == Some(lane));
                candidates.because(format!("lane `{lane}`"));
            }
            RouteKey::Plain => {
                let all = candidates.len();
                candidates.retain(|candidate| candidate.instance.lane.is_none());
                if candidates.len() < all {
                    candidates.because("the base lane");
                }
            }
            _ => {
                candidates.clear();
                candidates.because("nobody serves the request's lane, and it has no fallback that there is");
            }
        }
    }
}
