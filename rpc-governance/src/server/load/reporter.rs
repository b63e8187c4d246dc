//! The handle: what the application says, and what is reported.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use rpc_core::{
    Metadata,
    load::{CORES, IN_FLIGHT, InvalidLoad, LoadReport, TRAILER},
    metadata::{MetadataKey, MetadataValue},
    stage::Hook,
};
use tokio::sync::{Notify, watch};

use super::{LoadReporterConfig, count::Counts, hook::LoadHook};

/// Says how busy a server is. Cheap to clone; clones report for the same server.
///
/// Given to a server before it is built, and kept by handlers that know more than CPU and memory do:
///
/// ```
/// use rpc_governance::server::load::LoadReporter;
///
/// let load = LoadReporter::new();
/// // ... `Server::builder().report_load(load.clone())` ...
/// load.set_utilization("gpu", 0.7)?;
/// load.set_application_utilization(0.9)?;
/// assert!(load.set_utilization("gpu", 1.5).is_err());
/// # Ok::<(), rpc_core::load::InvalidLoad>(())
/// ```
///
/// What is set stays until it is set anew or taken out, and goes out with the next report: within one interval, or at once
/// if nothing is [measured](LoadReporterConfig::measure). A handler that wants to say what one call cost puts a report of
/// its own into the trailers of its answer, under [`TRAILER`]; [`report`](Self::report) is where to begin. It is left as it is.
/// The report in a response that a handler got from another server, and passes on, is taken out: it is not this server's.
///
/// A reporter is for one server: two would count each other's calls.
#[derive(Clone)]
pub struct LoadReporter(pub(super) Arc<Shared>);

/// What all see of a reporter.
pub(super) struct Shared {
    pub(super) config: LoadReporterConfig,
    pub(super) counts: Counts,
    /// What the application says. Taken when it says something and once in an interval, never by calls.
    set: Mutex<LoadReport>,
    published: ArcSwapOption<Published>,
    key: MetadataKey,
    /// The sampler waits for calls.
    asleep: AtomicBool,
    pub(super) wake: Notify,
    /// Streams of reports: they are reason enough to look at the machine.
    streams: AtomicUsize,
    pub(super) over: watch::Sender<bool>,
}

/// A report, and the trailer that it makes.
struct Published {
    report: LoadReport,
    trailer: MetadataValue,
}

impl LoadReporter {
    /// With the usual settings.
    pub fn new() -> Self {
        Self::with_config(LoadReporterConfig::default())
    }

    /// With settings of yours.
    ///
    /// # Panics
    /// Never: the key of the trailer is legal.
    pub fn with_config(config: LoadReporterConfig) -> Self {
        let mut set = LoadReport::new();
        if config.measure {
            // Their room is taken: the application cannot fill it.
            for name in [IN_FLIGHT, CORES] {
                set.set_named_metric(name, 0.0)
                    .expect("there is room in an empty report");
            }
        }
        Self(Arc::new(Shared {
            config,
            counts: Counts::default(),
            set: Mutex::new(set),
            published: ArcSwapOption::empty(),
            key: MetadataKey::binary(TRAILER).expect("the key is legal"),
            asleep: AtomicBool::new(false),
            wake: Notify::new(),
            streams: AtomicUsize::new(0),
            over: watch::Sender::new(false),
        }))
    }

    /// Sets the load as the application sees it, 1 being all that it can bear: a queue's length over its bound, say. Balancers
    /// prefer it to the CPU's.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_application_utilization(&self, share: f64) -> Result<(), InvalidLoad> {
        self.edit(|report| report.set_application_utilization(share))
    }

    /// Sets the use of the CPU in place of what is measured; 0 is what is measured again.
    ///
    /// # Errors
    /// If it is negative or not finite.
    pub fn set_cpu_utilization(&self, share: f64) -> Result<(), InvalidLoad> {
        self.edit(|report| report.set_cpu_utilization(share))
    }

    /// Sets the use of memory in place of what is measured; 0 is what is measured again.
    ///
    /// # Errors
    /// If it is not between 0 and 1.
    pub fn set_mem_utilization(&self, share: f64) -> Result<(), InvalidLoad> {
        self.edit(|report| report.set_mem_utilization(share))
    }

    /// Sets the use of a resource.
    ///
    /// # Errors
    /// If it is not between 0 and 1, the name is empty or too long, or there are too many names: see [`LoadReport`].
    pub fn set_utilization(&self, name: &str, share: f64) -> Result<(), InvalidLoad> {
        self.edit(|report| report.set_utilization(name, share))
    }

    /// Sets a metric.
    ///
    /// # Errors
    /// If it is not finite, the name is empty or too long, or there are too many names: see [`LoadReport`].
    pub fn set_named_metric(&self, name: &str, value: f64) -> Result<(), InvalidLoad> {
        self.edit(|report| report.set_named_metric(name, value))
    }

    /// Takes the use of a resource out.
    pub fn remove_utilization(&self, name: &str) {
        self.edit(|report| report.remove_utilization(name));
    }

    /// Takes a metric out. Those that are measured stay.
    pub fn remove_named_metric(&self, name: &str) {
        if !(self.0.config.measure && [IN_FLIGHT, CORES].contains(&name)) {
            self.edit(|report| report.remove_named_metric(name));
        }
    }

    /// What is reported now; empty before the first interval with calls has passed, if anything is measured.
    pub fn report(&self) -> LoadReport {
        let published = self.0.published.load();
        published
            .as_ref()
            .map_or_else(LoadReport::new, |published| published.report.clone())
    }

    /// What sees each call of the server. It belongs outside of all other hooks.
    pub fn hook(&self) -> impl Hook {
        LoadHook(Arc::clone(&self.0))
    }

    /// Ends the streams of reports: their readers shall go elsewhere.
    pub fn end(&self) {
        self.0.over.send_replace(true);
    }

    fn edit<T>(&self, f: impl FnOnce(&mut LoadReport) -> T) -> T {
        let mut set = self.0.set.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut set);
        if !self.0.config.measure {
            // Within the lock: of two changes at once the later one is published last.
            self.0.publish(Some(set.clone()));
        }
        result
    }
}

impl Shared {
    /// A call begins.
    pub(super) fn begin(&self) {
        self.counts.begin();
        self.rouse();
    }

    /// Wakes the sampler, if it sleeps.
    fn rouse(&self) {
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// From now on whoever begins something wakes the sampler.
    pub(super) fn fall_asleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    /// What the application says.
    pub(super) fn set(&self) -> LoadReport {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a report what is answered with; `None` is nothing.
    pub(super) fn publish(&self, report: Option<LoadReport>) {
        let published = report.filter(|report| !report.is_empty()).map(|report| {
            let trailer = MetadataValue::binary(report.encode());
            Arc::new(Published { report, trailer })
        });
        self.published.store(published);
    }

    /// Adds the report to trailers that have none.
    pub(super) fn add_to(&self, trailers: &mut Metadata) {
        if let Some(published) = &*self.published.load()
            && !trailers.contains_key(TRAILER)
        {
            trailers.push(self.key.clone(), published.trailer.clone());
        }
    }

    /// True if somebody reads a stream of reports.
    pub(super) fn has_streams(&self) -> bool {
        self.streams.load(Ordering::SeqCst) > 0
    }

    /// A stream of reports has begun, or ended.
    #[cfg(feature = "prost")]
    pub(super) fn stream(&self, begins: bool) {
        if begins {
            self.streams.fetch_add(1, Ordering::SeqCst);
            self.rouse();
        } else {
            self.streams.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Default for LoadReporter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LoadReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadReporter")
            .field("config", &self.0.config)
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}
