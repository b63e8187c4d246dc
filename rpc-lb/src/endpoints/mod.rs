//! All endpoints of a target, and the task that keeps them.
//!
//! # The task
//! One per channel. It starts when the endpoints are first needed, because only then there is certainly a runtime, and
//! it ends with the last [`Endpoints`]. If its runtime goes away under it, the next call starts it anew in its own
//! runtime. A task per endpoint was rejected: a thousand of them would each hold a piece of the same list, and publish a
//! thousand snapshots where one is due.
//!
//! # Kept by diff
//! An update is compared with what is there by instance id. What stays keeps its link and all that was learnt about it;
//! a new address under an old id is another endpoint. What goes takes no new calls, and its link is kept until the calls
//! on it are done.

mod links;
mod orders;
mod place;
mod tracked;
mod upkeep;
mod view;
mod watches;

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use rpc_core::{Status, status::Side, transport::Transport};
use rpc_registry::{FollowConfig, Resolver, Source, View, Viewer};
use tokio::{runtime::Handle, sync::Notify, task::JoinHandle};

pub use self::view::{EndpointState, EndpointView};
use self::{
    orders::{Order, Orders},
    upkeep::Upkeep,
};
use crate::{Balancer, HealthConfig, Near, Router, Snapshot, Subsetting, balance::P2c, endpoint::Alarm};

/// The endpoints of one target. Cheap to clone; clones are the same endpoints.
///
/// Dropping the last one ends the task that keeps them and closes their links; a runtime is not needed for that.
#[derive(Clone)]
pub struct Endpoints(Arc<Owner>);

/// What calls hold. The task holds [`Shared`] only, or it would keep itself alive.
struct Owner {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    target: String,
    sources: Vec<Source>,
    /// Of each source, while the task runs.
    viewers: Mutex<Vec<Viewer>>,
    transport: Arc<dyn Transport>,
    snapshot: ArcSwap<Snapshot>,
    /// Of the snapshot that was published last.
    revision: AtomicU64,
    balancer: Arc<dyn Balancer>,
    routers: Arc<[Arc<dyn Router>]>,
    health: HealthConfig,
    /// What endpoints ring when calls fail there; none where failures one after the other do not matter.
    alarm: Option<Arc<Alarm>>,
    subsetting: Option<Subsetting>,
    near: Near,
    /// Calls are being made: the upkeep has heard of it since it last looked.
    pulse: AtomicBool,
    orders: Orders,
    /// There is a task. Not asked of its handle: tokio says that a task has ended only after it was dropped, when the calls that
    /// are to start the next one have been told already.
    running: AtomicBool,
    /// A snapshot was published, or everything is closed.
    changed: Notify,
    phase: AtomicU8,
}

/// How endpoints are kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct EndpointsConfig {
    /// Which endpoint gets a call. Default: [`P2c`]; `docs/balancing.md` says why.
    pub balancer: Arc<dyn Balancer>,
    /// Which endpoints a request may go to, in the order in which they narrow them.
    pub routers: Vec<Arc<dyn Router>>,
    /// Which endpoints are sick.
    pub health: HealthConfig,
    /// Which part of the instances it connects to. Default: all.
    pub subsetting: Option<Subsetting>,
    /// How the resolver is followed.
    pub follow: FollowConfig,
    /// Which endpoints are preferred because they are near.
    pub near: Near,
}

impl Default for EndpointsConfig {
    fn default() -> Self {
        Self {
            balancer: Arc::new(P2c::new()),
            routers: Vec::new(),
            health: HealthConfig::default(),
            subsetting: None,
            follow: FollowConfig::default(),
            near: Near::default(),
        }
    }
}

/// How far closing has got. It only ever goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Phase {
    Open,
    Closing,
    Closed,
}

impl Endpoints {
    /// The endpoints of what a resolver tells, linked by a transport. `target` is what errors call it.
    ///
    /// Nothing happens before they are needed, or [`start`](Self::start)ed.
    pub fn new(
        target: impl Into<String>,
        resolver: Arc<dyn Resolver>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        Self::configured(target, resolver, transport, EndpointsConfig::default())
    }

    /// The same, configured.
    pub fn configured(
        target: impl Into<String>,
        resolver: Arc<dyn Resolver>,
        transport: Arc<dyn Transport>,
        config: EndpointsConfig,
    ) -> Self {
        let mut config = config;
        let follow = std::mem::take(&mut config.follow);
        let source = Source::new(target, resolver).with_config(follow);
        Self::of_sources(vec![source], transport, config)
    }

    /// The endpoints of what several resolvers tell, united by instance id: see [`FollowAll`](rpc_registry::FollowAll).
    /// Each source says how it is followed; [`EndpointsConfig::follow`] is not used.
    pub fn of_sources(sources: Vec<Source>, transport: Arc<dyn Transport>, config: EndpointsConfig) -> Self {
        let alarm = config.health.alarm();
        let targets: Vec<_> = sources.iter().map(|source| &*source.target).collect();
        let shared = Shared {
            target: targets.join(", "),
            sources,
            viewers: Mutex::default(),
            transport,
            snapshot: ArcSwap::default(),
            revision: AtomicU64::new(0),
            balancer: config.balancer,
            routers: config.routers.into(),
            health: config.health,
            alarm,
            subsetting: config.subsetting,
            pulse: AtomicBool::new(false),
            near: config.near,
            orders: Orders::new(),
            running: AtomicBool::new(false),
            changed: Notify::new(),
            phase: AtomicU8::new(Phase::Open as u8),
        };
        Self(Arc::new(Owner {
            shared: Arc::new(shared),
            task: Mutex::new(None),
        }))
    }

    /// Begins to resolve and to connect, unless that has begun.
    ///
    /// # Errors
    /// INTERNAL outside of a tokio runtime.
    pub fn start(&self) -> Result<(), Status> {
        // Taken only while there is no endpoint to go to. Nothing panics while it is held.
        let mut task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.shared.runs() || self.0.shared.phase() > Phase::Open {
            return Ok(());
        }
        let runtime = Handle::try_current().map_err(|error| {
            Status::internal("a call must be polled inside of a tokio runtime")
                .at_side(Side::Client)
                .with_source(error)
        })?;
        let mut upkeep = Upkeep::new(Arc::clone(&self.0.shared));
        *task = Some(runtime.spawn(async move { upkeep.run().await }));
        Ok(())
    }

    /// Takes no more calls, and waits until those under way are done, streams included, and all links are closed.
    ///
    /// # Cancellation
    /// Dropping the future stops the waiting, not the closing.
    pub async fn close(&self) {
        let shared = &self.0.shared;
        {
            // Nobody starts the task meanwhile.
            let _task = self.0.task.lock().unwrap_or_else(PoisonError::into_inner);
            shared.advance(Phase::Closing);
            // One that ends from here on sees the phase.
            if !shared.runs() {
                shared.advance(Phase::Closed);
            }
        }
        shared.orders.give(Order::Close);
        loop {
            let mut changed = pin!(shared.changed.notified());
            // In the queue before it looks, so that it hears of what happens in between.
            changed.as_mut().enable();
            if shared.phase() == Phase::Closed {
                break;
            }
            changed.await;
        }
    }

    /// The endpoints as they are now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.shared.snapshot.load_full()
    }

    /// What is known of each target: how fresh its list is, how many instances it has, which records were refused. In the
    /// order in which they were named. Before they are [started](Self::start), and after they were closed, nothing is known.
    pub fn discovery(&self) -> Vec<View> {
        let shared = &self.0.shared;
        let viewers = shared.viewers.lock().unwrap_or_else(PoisonError::into_inner);
        if viewers.is_empty() {
            return shared
                .sources
                .iter()
                .map(|source| View::new(&*source.target))
                .collect();
        }
        viewers.iter().map(Viewer::view).collect()
    }

    /// What errors call the target; several are separated by commas.
    pub fn target(&self) -> &str {
        &self.0.shared.target
    }

    /// Reads the snapshot without counting a reference.
    #[inline]
    pub(crate) fn read<R>(&self, f: impl FnOnce(&Snapshot) -> R) -> R {
        f(&self.0.shared.snapshot.load())
    }

    /// Says that a call is made. The first one in a while makes the upkeep look after the endpoints again.
    #[inline]
    pub(crate) fn beat(&self) {
        if !self.0.shared.pulse.load(Ordering::Relaxed) {
            self.0.shared.feel();
        }
    }

    /// Told at each new snapshot.
    pub(crate) fn changed(&self) -> &Notify {
        &self.0.shared.changed
    }

    /// Says that a call waits for an endpoint.
    pub(crate) fn want(&self) -> Result<(), Status> {
        self.start()?;
        self.0.shared.orders.give(Order::Connect);
        Ok(())
    }
}

impl Shared {
    #[cold]
    fn feel(&self) {
        self.pulse.store(true, Ordering::Relaxed);
        self.orders.give(Order::Tend);
    }

    fn publish(&self, snapshot: Snapshot) {
        self.store(snapshot);
        self.changed.notify_waiters();
    }

    fn store(&self, mut snapshot: Snapshot) {
        // The first one, which nobody published, is 0.
        snapshot.revision = self.revision.fetch_add(1, Ordering::Relaxed) + 1;
        self.snapshot.store(Arc::new(snapshot));
    }

    fn runs(&self) -> bool {
        self.running.load(Ordering::SeqCst)
    }

    /// The task begins: dropping it must [end](Self::end) this.
    fn begin(&self) {
        self.running.store(true, Ordering::SeqCst);
    }

    /// The task has ended: what it knew is of no use, and calls start the next one.
    fn end(&self) {
        self.set_viewers(Vec::new());
        if self.phase() == Phase::Open {
            // Before there can be another task, whose snapshots it must not replace.
            self.store(Snapshot::default());
        }
        self.running.store(false, Ordering::SeqCst);
        // Only now: who is told starts the next one at once. The phase again, for it may have been closed meanwhile.
        if self.phase() > Phase::Open {
            self.advance(Phase::Closed);
        } else {
            self.changed.notify_waiters();
        }
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::SeqCst) {
            0 => Phase::Open,
            1 => Phase::Closing,
            _ => Phase::Closed,
        }
    }

    /// Moves on to a phase, unless it is there or further already. Calls find nothing once everything is closed.
    fn advance(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::SeqCst);
        if phase == Phase::Closed {
            self.publish(Snapshot {
                closed: true,
                ..Snapshot::default()
            });
        }
    }

    fn set_viewers(&self, viewers: Vec<Viewer>) {
        *self.viewers.lock().unwrap_or_else(PoisonError::into_inner) = viewers;
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner) {
            task.abort();
        }
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints")
            .field("target", &self.0.shared.target)
            .field("counts", &self.0.shared.snapshot.load().counts)
            .finish_non_exhaustive()
    }
}
