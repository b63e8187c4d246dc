//! What each part of a score counts.

use std::time::Duration;

use serde::Deserialize;

use super::PartKind;
use crate::balance::InvalidBalancer;

/// Settings of [`Smart`](super::Smart): the points of each part, and how long a report counts.
///
/// Points are relative to each other: they are scaled so that ten are to be had. 0 leaves a part out.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct SmartConfig {
    /// [`PartKind::Cpu`]: none at full load, all when idle. Default: 2.
    pub cpu: f32,
    /// [`PartKind::Cores`]: all with as many free ones as the best tenth of its peers. Default: 0.5.
    pub cores: f32,
    /// [`PartKind::Memory`]: all up to 80 % in use, none at 100 %. Default: 0.5.
    pub memory: f32,
    /// [`PartKind::Mean`]: all if it is as fast as the best tenth of its peers, half at twice their latency. Default: 1.5.
    pub mean: f32,
    /// [`PartKind::Tp99`]: the same. Default: 1.
    pub tp99: f32,
    /// [`PartKind::Tp999`]: the same. Default: 0.5.
    pub tp999: f32,
    /// [`PartKind::Errors`]: all without errors, none from 20 % on. Default: 2.
    pub errors: f32,
    /// [`PartKind::InFlight`]: all if it has as few as the best tenth of its peers, half with twice as many and one.
    /// Default: 1.
    pub in_flight: f32,
    /// [`PartKind::State`]: as large a part as it has of its weight. Default: 1.
    pub state: f32,
    /// Milliseconds for which what an endpoint reported is believed. 1 and more. Default: 10,000.
    pub report_expiry_ms: u64,
}

impl Default for SmartConfig {
    fn default() -> Self {
        Self {
            cpu: 2.0,
            cores: 0.5,
            memory: 0.5,
            mean: 1.5,
            tp99: 1.0,
            tp999: 0.5,
            errors: 2.0,
            in_flight: 1.0,
            state: 1.0,
            report_expiry_ms: 10_000,
        }
    }
}

/// The most that a part can count.
const MOST: f32 = 1000.0;

impl SmartConfig {
    /// The points of a part.
    pub fn points(&self, kind: PartKind) -> f32 {
        match kind {
            PartKind::Cpu => self.cpu,
            PartKind::Cores => self.cores,
            PartKind::Memory => self.memory,
            PartKind::Mean => self.mean,
            PartKind::Tp99 => self.tp99,
            PartKind::Tp999 => self.tp999,
            PartKind::Errors => self.errors,
            PartKind::InFlight => self.in_flight,
            PartKind::State => self.state,
        }
    }

    pub(super) fn report_expiry(&self) -> Duration {
        Duration::from_millis(self.report_expiry_ms)
    }

    /// # Errors
    /// If points are negative or too many, all are 0, or reports count for no time.
    pub(super) fn check(&self) -> Result<(), InvalidBalancer> {
        for kind in PartKind::ALL {
            let points = self.points(kind);
            if !(0.0..=MOST).contains(&points) {
                let problem = format!("is {points}: 0 to {MOST} are wanted");
                return Err(InvalidBalancer::new(kind.name(), problem));
            }
        }
        // These two are always known; the others need reports or calls.
        if self.in_flight + self.state <= 0.0 {
            return Err(InvalidBalancer::new(
                "state",
                "and `in_flight` are both 0: one must count, or an endpoint that says nothing has no score",
            ));
        }
        if self.report_expiry_ms == 0 {
            return Err(InvalidBalancer::new("report_expiry_ms", "is 0: 1 is the least"));
        }
        Ok(())
    }
}
