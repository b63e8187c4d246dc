//! What an endpoint says of itself.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use rpc_core::load::LoadReport;
use tokio::time::Instant;

/// A load report, as far as balancers read it. A number that is 0 was not reported: it means "not known", not "idle".
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Reported {
    /// CPU in use, as a share of what it may use; above 1 where it may use more for a while.
    pub cpu: f32,
    /// Memory in use, as a share of what it may use.
    pub memory: f32,
    /// Load as the application sees it, 1 being all that it can do.
    pub application: f32,
    /// CPUs that it may use, fractions included.
    pub cores: f32,
    /// Calls that it works on, whoever made them.
    pub in_flight: f32,
    /// Calls in a second.
    pub rps: f32,
    /// Errors in a second.
    pub eps: f32,
}

/// The last one.
///
/// The numbers are stored one by one: who reads while another report is stored may see some of each. Both are true of nearly
/// the same time.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Milliseconds since the endpoint was first seen, never 0. 0: there was none. They wrap after 49 days, and are compared
    /// by difference: a report that is as old as that counts as new for a while.
    at: AtomicU32,
    values: [AtomicU32; 7],
}

impl Report {
    pub(super) fn store(&self, reported: Reported, age: Duration) {
        let Reported {
            cpu,
            memory,
            application,
            cores,
            in_flight,
            rps,
            eps,
        } = reported;
        let values = [cpu, memory, application, cores, in_flight, rps, eps];
        for (slot, value) in self.values.iter().zip(values) {
            // Whatever it is: who reads divides by it or compares it.
            let value = if value.is_finite() { value.max(0.0) } else { 0.0 };
            slot.store(value.to_bits(), Ordering::Relaxed);
        }
        self.at.store(millis(age).max(1), Ordering::Release);
    }

    pub(super) fn load(&self, first_seen: Instant, now: Instant) -> Option<(Reported, Duration)> {
        let at = match self.at.load(Ordering::Acquire) {
            0 => return None,
            at => at,
        };
        let [cpu, memory, application, cores, in_flight, rps, eps] =
            std::array::from_fn(|n| f32::from_bits(self.values[n].load(Ordering::Relaxed)));
        let reported = Reported {
            cpu,
            memory,
            application,
            cores,
            in_flight,
            rps,
            eps,
        };
        let age = millis(now.saturating_duration_since(first_seen));
        let since = match age.wrapping_sub(at) {
            // One that came since this thread looked at the clock is new.
            since if since > u32::MAX - MINUTE => 0,
            since => since,
        };
        Some((reported, Duration::from_millis(u64::from(since))))
    }
}

/// In milliseconds.
const MINUTE: u32 = 60_000;

fn millis(age: Duration) -> u32 {
    age.as_millis() as u32
}

#[allow(clippy::cast_possible_truncation, reason = "a share, to seven digits")]
impl From<&LoadReport> for Reported {
    fn from(report: &LoadReport) -> Self {
        Self {
            cpu: report.cpu_utilization() as f32,
            memory: report.mem_utilization() as f32,
            application: report.application_utilization() as f32,
            cores: report.cores().unwrap_or(0.0) as f32,
            in_flight: report.in_flight().unwrap_or(0.0) as f32,
            rps: report.rps() as f32,
            eps: report.eps() as f32,
        }
    }
}
