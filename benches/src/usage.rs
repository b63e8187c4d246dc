//! What the process, and everybody else, used of the machine.

use std::{fs, time::Duration};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// A reading of the clocks.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    ours: Duration,
    machine: Option<Machine>,
}

#[derive(Clone, Copy)]
struct Machine {
    busy_ticks: u64,
    all_ticks: u64,
}

/// Linux counts in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    pub(crate) fn now() -> Self {
        Self {
            ours: cpu_of(UsageWho::RUSAGE_SELF),
            machine: Machine::now(),
        }
    }

    /// CPU time of this process since then.
    pub(crate) fn cpu_since(self, then: Self) -> Duration {
        self.ours.saturating_sub(then.ours)
    }

    /// Which part of the machine others used since then, 0 to 1.
    pub(crate) fn others_since(self, then: Self) -> f64 {
        let (Some(now), Some(before)) = (self.machine, then.machine) else {
            return 0.0;
        };
        let all = now.all_ticks.saturating_sub(before.all_ticks) as f64;
        let busy = now.busy_ticks.saturating_sub(before.busy_ticks) as f64;
        let ours = self.cpu_since(then).as_secs_f64() / TICK.as_secs_f64();
        if all > 0.0 {
            ((busy - ours) / all).max(0.0)
        } else {
            0.0
        }
    }
}

/// CPU time of this thread so far.
pub(crate) fn of_thread() -> Duration {
    cpu_of(UsageWho::RUSAGE_THREAD)
}

fn cpu_of(who: UsageWho) -> Duration {
    let micros = getrusage(who).map_or(0, |usage| {
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
    });
    Duration::from_micros(micros.unsigned_abs())
}

impl Machine {
    fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let mut ticks = text
            .lines()
            .next()?
            .split_whitespace()
            .skip(1)
            .map_while(|field| field.parse::<u64>().ok());
        let mut fields = [0; 8];
        for field in &mut fields {
            *field = ticks.next()?;
        }
        // user nice system idle iowait irq softirq steal
        let all_ticks = fields.iter().sum();
        Some(Self {
            busy_ticks: all_ticks - fields[3] - fields[4],
            all_ticks,
        })
    }
}
