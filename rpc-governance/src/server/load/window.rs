//! Samples of the last two seconds or so, and the report that they make.

use std::collections::VecDeque;

use rpc_core::load::{CORES, IN_FLIGHT, LoadReport};
use tokio::time::Instant;

use super::{count::Counted, machine::Reading};

/// So many intervals make one report.
const INTERVALS: usize = 4;

/// What was seen at one instant.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) counted: Counted,
    pub(super) machine: Reading,
}

/// The samples that count. Never empty.
pub(super) struct Window {
    earlier: VecDeque<Sample>,
    last: Sample,
}

impl Window {
    pub(super) fn new(first: Sample) -> Self {
        Self {
            earlier: VecDeque::with_capacity(INTERVALS + 1),
            last: first,
        }
    }

    pub(super) fn push(&mut self, sample: Sample) {
        self.earlier.push_back(std::mem::replace(&mut self.last, sample));
        if self.earlier.len() > INTERVALS {
            self.earlier.pop_front();
        }
    }

    pub(super) fn last(&self) -> &Sample {
        &self.last
    }

    /// The report; `set` is what the application says, which goes before what was seen.
    #[allow(clippy::cast_precision_loss, reason = "nobody has so many calls")]
    pub(super) fn report(&self, set: LoadReport) -> LoadReport {
        let mut report = set;
        let now = &self.last;
        let then = self.earlier.front().unwrap_or(now);
        let seconds = now.at.duration_since(then.at).as_secs_f64();
        if report.cpu_utilization() == 0.0
            && let Some(share) = now.machine.cpu_since(&then.machine, seconds)
        {
            seen(report.set_cpu_utilization(share));
        }
        if report.mem_utilization() == 0.0
            && let Some(share) = now.machine.memory
        {
            seen(report.set_mem_utilization(share.clamp(0.0, 1.0)));
        }
        if seconds > 0.0 {
            let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
            seen(report.set_rps(rate(now.counted.ended, then.counted.ended)));
            seen(report.set_eps(rate(now.counted.failed, then.counted.failed)));
        }
        seen(report.set_named_metric(IN_FLIGHT, now.counted.in_flight() as f64));
        seen(report.set_named_metric(CORES, now.machine.cores));
        report
    }
}

/// What is measured is a load, and its names have room: a report that refuses it says less rather than nothing.
fn seen<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        tracing::debug!(%error, "not reported");
    }
}
