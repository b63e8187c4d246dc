//! No endpoint gets more than its part and a quarter, however often its keys are asked for.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::{Endpoint, balance::InvalidBalancer};

/// How far above the mean the load of an endpoint may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadBound(Option<f32>);

impl LoadBound {
    /// Calls in flight at most this factor times the mean, by weight; at least one.
    ///
    /// `None` where the factor is not above 1: that could not be kept.
    pub fn new(factor: f32) -> Option<Self> {
        (factor.is_finite() && factor > 1.0).then_some(Self(Some(factor)))
    }

    /// As settings have it: a factor, 0 for no bound, nothing for the usual one.
    pub(super) fn written(factor: Option<f32>) -> Result<Self, InvalidBalancer> {
        match factor {
            None => Ok(Self::default()),
            Some(factor) if factor.abs() < f32::EPSILON => Ok(Self::off()),
            Some(factor) => Self::new(factor).ok_or_else(|| {
                let problem = format!("is {factor}: more than 1 is wanted, or 0 for no bound");
                InvalidBalancer::new("bound", problem)
            }),
        }
    }

    /// No bound.
    pub fn off() -> Self {
        Self(None)
    }
}

impl Default for LoadBound {
    /// 1.25.
    fn default() -> Self {
        Self(Some(1.25))
    }
}

/// Keeps the bound for one list of endpoints.
#[derive(Debug)]
pub(super) struct Keeper {
    factor: Option<f32>,
    /// Calls in flight per unit of weight, f32.
    mean: AtomicU32,
    /// Picks until the mean is worked out anew.
    left: AtomicU32,
}

impl Keeper {
    pub(super) fn new(bound: LoadBound) -> Self {
        Self {
            factor: bound.0,
            mean: AtomicU32::new(0),
            left: AtomicU32::new(0),
        }
    }

    /// Before a pick.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a part of the number of endpoints"
    )]
    pub(super) fn look(&self, endpoints: &[Arc<Endpoint>]) {
        if self.factor.is_none() {
            return;
        }
        let left = self.left.load(Ordering::Relaxed);
        if left > 0 {
            // Two at once may take one: it is a count of about so many.
            self.left.store(left - 1, Ordering::Relaxed);
            return;
        }
        self.left.store(endpoints.len() as u32 / 8, Ordering::Relaxed);
        let (mut calls, mut weights) = (0.0, 0.0);
        for endpoint in endpoints {
            calls += count(endpoint);
            weights += endpoint.weight();
        }
        let mean = if weights > 0.0 {
            (calls + 1.0) / weights
        } else {
            0.0
        };
        self.mean.store(mean.to_bits(), Ordering::Relaxed);
    }

    /// Whether an endpoint has room for another call.
    pub(super) fn has_room(&self, endpoint: &Endpoint) -> bool {
        let Some(factor) = self.factor else {
            return true;
        };
        let mean = f32::from_bits(self.mean.load(Ordering::Relaxed));
        let most = (factor * mean * endpoint.weight()).ceil().max(1.0);
        count(endpoint) < most
    }
}

#[allow(clippy::cast_precision_loss, reason = "far fewer than a float can tell apart")]
fn count(endpoint: &Endpoint) -> f32 {
    endpoint.stats().in_flight() as f32
}
