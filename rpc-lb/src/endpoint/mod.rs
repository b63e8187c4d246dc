//! A client's live view of one instance.

mod alarm;
mod estimate;
mod in_flight;
mod report;
mod stats;
mod trailer;
mod window;

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use rpc_core::{net::Address, transport::Link};
use rpc_registry::{Instance, InstanceId};
use tokio::time::Instant;

pub(crate) use self::alarm::Alarm;
pub use self::{
    in_flight::{Done, InFlight},
    report::Reported,
    stats::Stats,
    window::Recent,
};

/// An instance as this client sees it: its record, the link to it, and what was learnt about it.
///
/// Lives as long as the instance keeps its id and its address, whatever else of the record changes, so that nothing that
/// was learnt about it is lost.
pub struct Endpoint {
    id: InstanceId,
    instance: ArcSwap<Instance>,
    link: Arc<dyn Link>,
    stats: Stats,
    alarm: Option<Arc<Alarm>>,
    /// The last load report, as it came.
    report: ArcSwapOption<Bytes>,
}

impl Endpoint {
    /// An endpoint that is first seen now. [`Endpoints`](crate::Endpoints) makes its own; this is for simulations and for
    /// tests of balancers.
    pub fn new(instance: Arc<Instance>, link: Arc<dyn Link>, now: Instant) -> Self {
        Self {
            id: instance.id.clone(),
            stats: Stats::new(now, instance.weight),
            instance: ArcSwap::new(instance),
            link,
            alarm: None,
            report: ArcSwapOption::empty(),
        }
    }

    /// Who is told when it fails too often.
    pub(crate) fn with_alarm(mut self, alarm: Option<Arc<Alarm>>) -> Self {
        self.alarm = alarm;
        self
    }

    /// What the instance is known by.
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// The instance's record, as it is now.
    pub fn instance(&self) -> Arc<Instance> {
        self.instance.load_full()
    }

    /// Where it is, for the protocol that this client speaks.
    pub fn address(&self) -> &Address {
        self.link.address()
    }

    /// The connections to it.
    pub fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    /// What was learnt about it.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Its share of the calls relative to the others': the weight of its record, less while it is young or not quite well.
    pub fn weight(&self) -> f32 {
        self.stats.weight()
    }

    /// A call there has failed, the n-th one after the other.
    #[cold]
    fn failed(&self, count: u32) {
        if let Some(alarm) = &self.alarm {
            alarm.count(count);
        }
    }

    pub(crate) fn amend(&self, instance: Arc<Instance>) {
        self.instance.store(instance);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("id", &self.id)
            .field("address", self.address())
            .finish_non_exhaustive()
    }
}
