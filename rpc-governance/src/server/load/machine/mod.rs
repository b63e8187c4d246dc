//! What the process may use of the machine, and what of that is in use.
//!
//! In a container the machine's own numbers mislead: a process that may use two CPUs of sixty-four is at its limit where
//! the machine looks idle. So CPU is measured against the quota of the process's cgroup (version 2 or 1) and memory against
//! its limit; of a cgroup and those above it the tightest counts. Only where there is no quota, or no limit, the machine's
//! own numbers are taken.
//!
//! All of it is text in files. Parsing is in [`cgroup`] and [`proc`], as functions of texts; what reads them is a function
//! too, so that a test can describe a machine. Nothing is kept between two readings but the paths: a quota that is changed
//! while the process runs counts from the next reading on.

pub mod cgroup;
pub mod proc;

use std::{fmt, fs, io::Read as _, thread::available_parallelism, time::Duration};

use self::cgroup::Groups;

/// No file that is read here is longer, but for that of a machine with hundreds of CPUs, of which the first line counts.
const LONGEST_FILE_BYTES: u64 = 64 * 1024;

/// From a path to the text of the file there.
type Files = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A machine, as its files describe it.
///
/// ```
/// use rpc_governance::server::load::machine::Machine;
///
/// let reading = Machine::here().read();
/// assert!(reading.cores > 0.0);
/// ```
pub struct Machine {
    file: Box<Files>,
    groups: Groups,
}

/// What was read at one instant.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// CPU time, where it can be measured.
    pub cpu: Option<CpuTime>,
    /// CPUs that the process may use: the quota, at most what the machine has. Never 0.
    pub cores: f64,
    /// Memory in use, as a share of what may be used; it can be above 1 for a moment.
    pub memory: Option<f64>,
}

/// CPU time since ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuTime {
    /// Used by the cgroup whose quota counts.
    Group(Duration),
    /// Of the machine, where there is no quota: busy and all, in ticks.
    Machine {
        /// Ticks in which a CPU had something to do.
        busy: u64,
        /// All ticks.
        all: u64,
    },
}

impl Machine {
    /// The one that this runs on. Outside of Linux it can say nothing but the number of CPUs.
    pub fn here() -> Self {
        Self::of(|path| {
            if !cfg!(target_os = "linux") {
                return None;
            }
            let mut text = String::new();
            let file = fs::File::open(path).ok()?;
            file.take(LONGEST_FILE_BYTES).read_to_string(&mut text).ok()?;
            Some(text)
        })
    }

    /// The one that these files describe: from an absolute path to a text, if there is such a file.
    pub fn of(file: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let groups = file("/proc/self/cgroup").map_or_else(Groups::default, |text| Groups::parse(&text));
        Self {
            file: Box::new(file),
            groups,
        }
    }

    /// Looks at it. Reads a handful of small files, which are the kernel's and never wait for a disk.
    pub fn read(&self) -> Reading {
        let stat = || proc::cpu_ticks(&(self.file)("/proc/stat")?);
        let cpus =
            available_parallelism().map_or(1.0, |cpus| u32::try_from(cpus.get()).map_or(1.0, f64::from));
        let (cpu, cores) = match self.groups.cpu(&*self.file) {
            Some((quota, used)) => (
                Some(CpuTime::Group(used)),
                quota.min(self.machine_cpus().unwrap_or(quota)),
            ),
            None => (
                stat().map(|(busy, all)| CpuTime::Machine { busy, all }),
                self.machine_cpus().map_or(cpus, |machine| machine.min(cpus)),
            ),
        };
        Reading {
            cpu,
            cores,
            memory: self.memory(),
        }
    }

    fn machine_cpus(&self) -> Option<f64> {
        proc::cpus(&(self.file)("/proc/stat")?).map(f64::from)
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 52 bits of bytes"
    )]
    fn memory(&self) -> Option<f64> {
        let machine = (self.file)("/proc/meminfo").and_then(|text| proc::memory(&text));
        let (used, limit) = match (self.groups.memory(&*self.file), machine) {
            // A limit above what there is limits nothing.
            (Some((_, limit)), Some((used, all))) if limit >= all => (used, all),
            (Some(group), _) => group,
            (None, machine) => machine?,
        };
        (limit > 0).then(|| used as f64 / limit as f64)
    }
}

impl Reading {
    /// The CPU in use between an earlier reading and this one, so many seconds apart, as a share of what may be used.
    /// `None` if that cannot be said: no time has passed, or the limit that counts has become another kind.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 52 bits of ticks"
    )]
    pub fn cpu_since(&self, earlier: &Self, seconds: f64) -> Option<f64> {
        match (self.cpu?, earlier.cpu?) {
            (CpuTime::Group(now), CpuTime::Group(then)) if seconds > 0.0 => {
                // The tightest group may be another one by now, with less to its name.
                Some(now.checked_sub(then)?.as_secs_f64() / (seconds * self.cores))
            }
            (
                CpuTime::Machine { busy, all },
                CpuTime::Machine {
                    busy: busy_then,
                    all: all_then,
                },
            ) => {
                let all = all.checked_sub(all_then).filter(|ticks| *ticks > 0)?;
                // A kernel may take a tick of waiting back.
                Some(busy.saturating_sub(busy_then).min(all) as f64 / all as f64)
            }
            _ => None,
        }
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}
