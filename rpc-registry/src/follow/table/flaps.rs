//! Instances that come and go.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::{InstanceId, follow::HoldBack};

/// So many instances are watched for flapping at once; when more than that come and go, it is not theirs to be blamed.
const MAX: usize = 10_000;

/// What vanished lately, and whether it came back.
#[derive(Debug, Default)]
pub(super) struct Flaps(HashMap<InstanceId, Flap>);

#[derive(Debug)]
struct Flap {
    went: Instant,
    returns: u32,
}

impl Flaps {
    pub(super) fn went(&mut self, id: &InstanceId, now: Instant, config: &HoldBack) {
        if config.flapping.is_zero() {
            return;
        }
        if self.0.len() >= MAX {
            self.0
                .retain(|_, flap| now.duration_since(flap.went) < config.window);
        }
        if self.0.len() < MAX {
            let flap = self.0.entry(id.clone()).or_insert(Flap {
                went: now,
                returns: 0,
            });
            if now.duration_since(flap.went) >= config.window {
                flap.returns = 0;
            }
            flap.went = now;
        }
    }

    pub(super) fn came(&mut self, id: &InstanceId, now: Instant, config: &HoldBack) {
        if let Some(flap) = self.0.get_mut(id)
            && now.duration_since(flap.went) < config.window
        {
            flap.returns += 1;
        }
    }

    pub(super) fn is_flapping(&self, id: &InstanceId) -> bool {
        self.0.get(id).is_some_and(|flap| flap.returns > 0)
    }
}
