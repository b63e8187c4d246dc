//! Which endpoints are sick, and what becomes of them.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Endpoint, snapshot::Member};

/// Settings of the health of endpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct HealthConfig {
    /// While less than this share of the endpoints is well, the sick ones get calls like the others: too few healthy ones
    /// would break down under the load of all. 0 to 1. Default: 0.5, as Envoy's.
    pub panic: f32,
}

impl Default for HealthConfig {
    fn default() -> Self {
        Self { panic: 0.5 }
    }
}

/// Judges the endpoints of a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    config: HealthConfig,
}

impl Health {
    /// How often [`sweep`](Self::sweep) wants to run while there are calls.
    pub(crate) const PERIOD: Duration = Duration::from_secs(1);

    pub(crate) fn new(config: HealthConfig) -> Self {
        Self { config }
    }

    #[allow(clippy::unused_self, reason = "the state of ejection comes here")]
    /// Looks at all endpoints; true if one was found sick or well again.
    pub(crate) fn sweep<'e>(&mut self, now: Instant, endpoints: impl Iterator<Item = &'e Endpoint>) -> bool {
        let _ = (now, endpoints);
        false
    }

    /// Takes the sick ones out, unless they are too many. True if they are.
    pub(crate) fn leave_out_the_sick(&self, members: &mut Vec<&Member>) -> bool {
        let well = members.iter().filter(|member| !member.is_sick).count();
        if well == members.len() {
            return false;
        }
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        let panics = (well as f32) < self.config.panic * members.len() as f32;
        if !panics {
            members.retain(|member| !member.is_sick);
        }
        panics
    }
}
