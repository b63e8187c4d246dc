//! Settings of the zone router.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::route::{RouteError, error};

/// Settings of the zone router.
///
/// ```toml
/// zone = "a"
/// min_endpoints = 6
/// panic = 0.5
/// callers = { a = 30, b = 10 }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ZoneConfig {
    /// The zone that the calls come from.
    pub zone: String,
    /// With fewer endpoints that are well, zones do not count. Default: 6, as Envoy's.
    #[serde(default = "min_endpoints")]
    pub min_endpoints: usize,
    /// While less than this part of the endpoints is well, zones do not count. 0 to 1. Default: 0.5.
    #[serde(default = "panic")]
    pub panic: f64,
    /// How many callers there are in each zone: counts, or anything in proportion to them. Default: none, which is as many in
    /// each zone that has endpoints.
    #[serde(default)]
    pub callers: BTreeMap<String, u32>,
}

fn min_endpoints() -> usize {
    6
}

fn panic() -> f64 {
    0.5
}

impl ZoneConfig {
    /// The most zones that [`callers`](Self::callers) may name.
    pub const MAX_ZONES: usize = 1000;

    /// Calls from a zone, and the defaults.
    pub fn new(zone: impl Into<String>) -> Self {
        Self {
            zone: zone.into(),
            min_endpoints: min_endpoints(),
            panic: panic(),
            callers: BTreeMap::new(),
        }
    }

    /// Sets below how many endpoints that are well zones do not count.
    pub fn with_min_endpoints(mut self, min: usize) -> Self {
        self.min_endpoints = min;
        self
    }

    /// Sets below which part of the endpoints that is well zones do not count.
    pub fn with_panic(mut self, part: f64) -> Self {
        self.panic = part;
        self
    }

    /// Says how many callers there are in a zone.
    pub fn with_callers(mut self, zone: impl Into<String>, callers: u32) -> Self {
        self.callers.insert(zone.into(), callers);
        self
    }

    pub(super) fn check(&self) -> Result<(), RouteError> {
        if self.zone.is_empty() {
            return Err(RouteError::new("zone", "is empty: it is the zone of the caller"));
        }
        error::check_text("zone", &self.zone)?;
        if !(0.0..=1.0).contains(&self.panic) {
            return Err(RouteError::new("panic", "write a number from 0 to 1"));
        }
        if self.callers.len() > Self::MAX_ZONES {
            let problem = format!("has more than {} entries", Self::MAX_ZONES);
            return Err(RouteError::new("callers", problem));
        }
        for zone in self.callers.keys() {
            error::check_text("callers", zone)?;
        }
        if self.callers.values().all(|callers| *callers == 0) && !self.callers.is_empty() {
            return Err(RouteError::new("callers", "all are 0: one must be more"));
        }
        Ok(())
    }
}
