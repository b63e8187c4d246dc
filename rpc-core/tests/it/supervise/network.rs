//! A server, and connections to it, of nothing but counters.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
    time::Duration,
};

use rpc_core::{
    Body, BoxFuture, Call, Reply, Status,
    net::Address,
    transport::{
        Link, Transport,
        supervise::{
            Activity, Demand, Due, Failed, Life, LinkConfig, Phase, Protocol, Spread, Supervised,
            SupervisedLink, Timers, Unable,
        },
    },
};
use tokio::{sync::Notify, time::Instant};

/// A network of one server.
pub(super) struct Network {
    /// What the next connects do.
    script: Mutex<VecDeque<Connects>>,
    /// What those after them do.
    usual: Mutex<Connects>,
    dials: Mutex<Vec<Instant>>,
    connections: Mutex<Vec<Weak<Connection>>>,
    /// Drivers and dials that exist.
    pub(super) under_way: AtomicUsize,
    /// How many calls the server takes on a connection.
    capacity: usize,
    /// How long a call takes.
    call_time: Mutex<Duration>,
    /// How long connections that take no more calls stay after the last one, if not at once.
    linger: Mutex<Option<Duration>>,
    /// When links spread their calls.
    spread: Mutex<Spread>,
    /// What the server answers to calls, if it answers with a failure.
    refusal: Mutex<Option<Status>>,
    /// The most calls that were under way on one connection.
    pub(super) most: AtomicUsize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connects {
    Succeeds,
    /// The server closes the connection before anything is done on it.
    HangsUp,
    Fails,
    Panics,
    Hangs,
    /// Somebody else is there.
    Foreign,
    /// Somebody is there and hangs up without a word.
    Silent,
}

impl Network {
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::default(),
            usual: Mutex::new(Connects::Succeeds),
            dials: Mutex::default(),
            connections: Mutex::default(),
            under_way: AtomicUsize::new(0),
            capacity,
            call_time: Mutex::default(),
            linger: Mutex::default(),
            spread: Mutex::new(Spread::NONE),
            refusal: Mutex::default(),
            most: AtomicUsize::new(0),
        })
    }

    pub(super) fn script(&self, next: impl IntoIterator<Item = Connects>) {
        locked(&self.script).extend(next);
    }

    pub(super) fn otherwise(&self, usual: Connects) {
        *locked(&self.usual) = usual;
    }

    pub(super) fn calls_take(&self, time: Duration) {
        *locked(&self.call_time) = time;
    }

    pub(super) fn connections_linger(&self, time: Duration) {
        *locked(&self.linger) = Some(time);
    }

    /// Links that are made from now on spread their calls.
    pub(super) fn spreads(&self, connections: usize, calls_per_second: u32) {
        let mut spread = Spread::default();
        spread.connections = connections;
        spread.calls_per_second = calls_per_second;
        spread.check().expect("the settings are legal");
        *locked(&self.spread) = spread;
    }

    pub(super) fn refuses_calls(&self, status: Status) {
        *locked(&self.refusal) = Some(status);
    }

    /// When it was dialled.
    pub(super) fn dials(&self) -> Vec<Instant> {
        locked(&self.dials).clone()
    }

    /// The connections that take calls.
    pub(super) fn open(&self) -> Vec<Arc<Connection>> {
        let all = locked(&self.connections);
        all.iter()
            .filter_map(Weak::upgrade)
            .filter(|connection| connection.takes_calls())
            .collect()
    }

    /// The server breaks all connections off.
    pub(super) fn lose_all(&self) {
        for connection in self.open() {
            connection.advance(Phase::Closed);
        }
    }

    pub(super) fn link(self: &Arc<Self>, change: impl FnOnce(&mut LinkConfig)) -> Arc<dyn Link> {
        self.link_or(change, None)
    }

    pub(super) fn link_or(
        self: &Arc<Self>,
        change: impl FnOnce(&mut LinkConfig),
        fallback: Option<Arc<dyn Transport>>,
    ) -> Arc<dyn Link> {
        let mut config = LinkConfig::default();
        change(&mut config);
        config.check().expect("the settings are legal");
        let protocol = Speaks {
            network: Arc::clone(self),
            config,
            spread: *locked(&self.spread),
        };
        Arc::new(SupervisedLink::new(address(), protocol, fallback))
    }
}

pub(super) fn address() -> Address {
    "10.0.0.1:50051".parse().expect("it is one")
}

/// A transport to a network.
pub(super) struct Over(pub(super) Arc<Network>);

impl Transport for Over {
    fn protocol(&self) -> &'static str {
        "other"
    }

    fn link(&self, _: &Address) -> Arc<dyn Link> {
        self.0.link(|_| ())
    }
}

struct Speaks {
    network: Arc<Network>,
    config: LinkConfig,
    spread: Spread,
}

/// Counts what exists.
struct UnderWay(Arc<Network>);

impl UnderWay {
    fn new(network: &Arc<Network>) -> Self {
        network.under_way.fetch_add(1, SeqCst);
        Self(Arc::clone(network))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, SeqCst);
    }
}

impl Protocol for Speaks {
    type Connection = Connection;
    type Driver = BoxFuture<'static, ()>;

    fn link_config(&self) -> &LinkConfig {
        &self.config
    }

    fn spread(&self) -> Spread {
        self.spread
    }

    async fn connect(
        &self,
        _: &Address,
        life: Life,
    ) -> Result<(Arc<Connection>, BoxFuture<'static, ()>), Unable> {
        let network = &self.network;
        let under_way = UnderWay::new(network);
        locked(&network.dials).push(Instant::now());
        let scripted = locked(&network.script).pop_front();
        let next = scripted.unwrap_or_else(|| *locked(&network.usual));
        match next {
            Connects::Succeeds | Connects::HangsUp => {}
            Connects::Fails => return Err("nobody is there".into()),
            Connects::Panics => panic!("what connects has a fault"),
            Connects::Hangs => std::future::pending().await,
            Connects::Foreign => return Err(Unable::foreign("it speaks something else")),
            Connects::Silent => return Err(Unable::silent("it hung up")),
        }
        let connection = Arc::new(Connection {
            life,
            calls: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            answered: AtomicBool::new(false),
            capacity: network.capacity,
            regrouped: AtomicUsize::new(0),
            demand: Mutex::new(Demand::new(self.spread)),
            changed: Notify::new(),
        });
        locked(&network.connections).push(Arc::downgrade(&connection));
        if next == Connects::HangsUp {
            connection.advance(Phase::Closed);
        }
        let timers = Timers::new(&self.config, 0);
        let driver = drive(Closes(Arc::clone(&connection)), timers, under_way);
        Ok((connection, Box::pin(driver)))
    }

    async fn attempt<'a>(
        &'a self,
        connection: &'a Arc<Connection>,
        _: &'a mut Call<'_>,
    ) -> Result<Reply, Failed> {
        let Some(_slot) = connection.slot().await else {
            return Err(Failed::not_sent(None, None));
        };
        let most = connection.calls.load(SeqCst);
        self.network.most.fetch_max(most, SeqCst);
        if let Some(demand) = &mut *locked(&connection.demand) {
            demand.note(most, connection.begun() as u32, &connection.life);
        }
        let time = *locked(&self.network.call_time);
        tokio::select! {
            () = connection.is_gone() => Err(Status::unavailable("the connection was lost").into()),
            () = tokio::time::sleep(time) => {
                connection.answered.store(true, SeqCst);
                let refusal = locked(&self.network.refusal).clone();
                refusal.map_or_else(|| Ok(Reply::new(Body::Empty)), |status| Err(status.into()))
            }
        }
    }
}

pub(super) struct Connection {
    life: Life,
    calls: AtomicUsize,
    waiting: AtomicUsize,
    begun: AtomicUsize,
    answered: AtomicBool,
    capacity: usize,
    regrouped: AtomicUsize,
    demand: Mutex<Option<Demand>>,
    changed: Notify,
}

struct Slot<'c>(&'c Connection);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, SeqCst);
        self.0.changed.notify_waiters();
    }
}

impl Connection {
    /// How many calls were ever begun on it.
    pub(super) fn begun(&self) -> usize {
        self.begun.load(SeqCst)
    }

    /// Its task runs on this thread.
    pub(super) fn runs_here(&self) {
        self.life.note_driven();
    }

    async fn slot(&self) -> Option<Slot<'_>> {
        let regrouped = self.regrouped.load(SeqCst);
        let mut waits = false;
        let slot = loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.takes_calls() || self.regrouped.load(SeqCst) != regrouped {
                break None;
            }
            let room = |calls| (calls < self.capacity).then_some(calls + 1);
            if self.calls.fetch_update(SeqCst, SeqCst, room).is_ok() {
                self.begun.fetch_add(1, SeqCst);
                break Some(Slot(self));
            }
            if !waits {
                waits = true;
                self.waiting.fetch_add(1, SeqCst);
                self.life.note_crowded();
            }
            changed.await;
        };
        self.waiting.fetch_sub(usize::from(waits), SeqCst);
        slot
    }

    async fn is_gone(&self) {
        self.reaches(|connection| connection.life.phase() == Phase::Closed)
            .await;
    }

    async fn reaches(&self, is: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if is(self) {
                return;
            }
            changed.await;
        }
    }
}

impl Supervised for Connection {
    fn life(&self) -> &Life {
        &self.life
    }

    fn peer(&self) -> Option<&Address> {
        None
    }

    fn load(&self) -> usize {
        self.calls.load(SeqCst) + self.waiting.load(SeqCst)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn was_of_use(&self) -> bool {
        self.answered.load(SeqCst)
    }

    fn has_advanced(&self, _: Phase) {
        self.changed.notify_waiters();
    }

    fn regroup(&self) {
        self.regrouped.fetch_add(1, SeqCst);
        self.changed.notify_waiters();
    }
}

/// A connection is gone when its task is.
struct Closes(Arc<Connection>);

impl Drop for Closes {
    fn drop(&mut self) {
        self.0.advance(Phase::Closed);
    }
}

async fn drive(closes: Closes, mut timers: Timers, under_way: UnderWay) {
    let connection = &*closes.0;
    let mut ends = Box::pin(connection.reaches(|connection| match connection.life.phase() {
        Phase::Closed => true,
        Phase::Draining => connection.calls.load(SeqCst) == 0,
        _ => false,
    }));
    poll_fn(|cx| {
        let activity = Activity {
            calls: connection.calls.load(SeqCst),
            begun: connection.begun() as u64,
            reads: 0,
        };
        while let Poll::Ready(due) = timers.poll(cx, activity) {
            match due {
                Due::Old => connection.advance(Phase::Retiring),
                Due::Idle => connection.life.note_quiet(),
                _ => {}
            }
        }
        ends.as_mut().poll(cx)
    })
    .await;
    drop(ends);
    let linger = *locked(&under_way.0.linger);
    if let Some(time) = linger {
        tokio::time::sleep(time).await;
    }
    drop(under_way);
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
