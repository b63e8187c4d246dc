//! A registry, a transport without a network, and a pick over both.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as Poller, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use rpc_core::{
    Body, Call, CallFuture, Context, Method, MethodDescriptor, Reply, Shape, Stage, Status,
    message::{Encoded, Incoming},
    net::Address,
    status::reason,
    transport::{Link, LinkState, Transport},
};
use rpc_lb::{
    Endpoints, EndpointsConfig, HealthConfig, Measure, MeasureLayer, Near, Pick, PickLayer, RoundRobin,
    Snapshot, ToLink,
};
use rpc_registry::{
    FollowConfig, HoldBack, Instance, MemoryRegistry, Registration, Registry as _, Resolver, Watch,
};
use tokio::sync::watch;
use tower_layer::Layer as _;

pub(crate) static METHOD: MethodDescriptor = MethodDescriptor::new("/test.Service/Method", Shape::Unary);

/// What a link does with a call.
pub(crate) type Behaviour = Box<dyn Fn(&mut Call<'_>) -> Result<(), Status> + Send + Sync>;

/// What a link answers with, if not with nothing.
type Answer = Box<dyn Fn() -> Reply + Send>;

pub(crate) struct FakeLink {
    address: Address,
    state: watch::Sender<LinkState>,
    connects_at_once: bool,
    behaviour: Mutex<Behaviour>,
    delay: Mutex<Duration>,
    answer: Mutex<Option<Answer>>,
    /// What it says of its health, and who listens.
    health: watch::Sender<Option<u8>>,
    on_close: Mutex<Option<Box<dyn Fn() + Send>>>,
    pub(crate) calls: AtomicUsize,
    pub(crate) connects: AtomicUsize,
    pub(crate) closes: AtomicUsize,
}

impl FakeLink {
    pub(crate) fn set(&self, state: LinkState) {
        self.state.send_replace(state);
    }

    pub(crate) fn behave(&self, f: impl Fn(&mut Call<'_>) -> Result<(), Status> + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Box::new(f);
    }

    /// Lets calls take so long.
    pub(crate) fn delay(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    pub(crate) fn answer(&self, f: impl Fn() -> Reply + Send + 'static) {
        *self.answer.lock().unwrap() = Some(Box::new(f));
    }

    /// Says something of its health: 1 is SERVING, 2 is `NOT_SERVING`.
    #[cfg(feature = "prost")]
    pub(crate) fn say(&self, status: u8) {
        self.health.send_replace(Some(status));
    }

    /// How many listen to what it says of its health.
    #[cfg(feature = "prost")]
    pub(crate) fn listeners(&self) -> usize {
        self.health.receiver_count()
    }

    /// Runs something when the link is closed.
    pub(crate) fn on_close(&self, f: impl Fn() + Send + 'static) {
        *self.on_close.lock().unwrap() = Some(Box::new(f));
    }

    pub(crate) fn refuse(&self) {
        self.behave(|_| Err(refusal()));
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// What a server that stops says.
pub(crate) fn refusal() -> Status {
    Status::unavailable("stopping")
        .with_reason(reason::DRAINING)
        .with_domain(reason::DOMAIN)
        .not_processed()
}

impl Link for FakeLink {
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
        if call.method.path() == "/grpc.health.v1.Health/Watch" {
            let told = Told::by(self.health.subscribe());
            return CallFuture::ready(Ok(Reply::new(Body::Incoming(Box::new(told)))));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let LinkState::Failing(status) = &*self.state.borrow() {
            // As our links do: who waits for ready waits there, as long as it takes.
            return match call.options.wait_for_ready {
                Some(true) => CallFuture::new(std::future::pending()),
                _ => CallFuture::ready(Err(status.clone().not_processed())),
            };
        }
        let result = (self.behaviour.lock().unwrap())(call);
        let answer = self.answer.lock().unwrap();
        let mut reply = answer
            .as_ref()
            .map_or_else(|| Reply::new(Body::Empty), |answer| answer());
        reply.peer = Some(self.address.clone().into());
        let delay = *self.delay.lock().unwrap();
        if delay.is_zero() {
            return CallFuture::ready(result.map(|()| reply));
        }
        CallFuture::new(async move {
            tokio::time::sleep(delay).await;
            result.map(|()| reply)
        })
    }

    fn address(&self) -> &Address {
        &self.address
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn connect(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.set(if self.connects_at_once {
            LinkState::Ready
        } else {
            LinkState::Connecting
        });
    }

    fn close(&self) {
        self.closes.fetch_add(1, Ordering::Relaxed);
        if let Some(f) = &*self.on_close.lock().unwrap() {
            f();
        }
        if self.connects_at_once {
            self.set(LinkState::Closed);
        }
    }
}

/// What a server says of its health, as it comes over the wire.
struct Told(BoxStream<'static, Bytes>);

impl Told {
    fn by(mut health: watch::Receiver<Option<u8>>) -> Self {
        health.mark_changed();
        let next = async |mut health: watch::Receiver<Option<u8>>| {
            let status = loop {
                health.changed().await.ok()?;
                if let Some(status) = *health.borrow_and_update() {
                    break status;
                }
            };
            // Field 1, a number.
            Some((Bytes::from(vec![8, status]), health))
        };
        Self(stream::unfold(health, next).boxed())
    }
}

impl Incoming for Told {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        self.0.poll_next_unpin(cx).map(|item| item.map(Ok))
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(std::mem::replace(&mut self.0, stream::empty().boxed())))
    }
}

/// The links made so far, the latest one of each address.
#[derive(Clone, Default)]
pub(crate) struct FakeTransport {
    links: Arc<Mutex<HashMap<Address, Arc<FakeLink>>>>,
    made: Arc<AtomicUsize>,
    /// If not, links connect and close when the test says so.
    by_hand: bool,
}

impl FakeTransport {
    pub(crate) fn by_hand() -> Self {
        Self {
            by_hand: true,
            ..Self::default()
        }
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    pub(crate) fn of(&self, address: &str) -> Arc<FakeLink> {
        self.links.lock().unwrap()[&address.parse().unwrap()].clone()
    }
}

impl Transport for FakeTransport {
    fn protocol(&self) -> &'static str {
        "fake"
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let link = Arc::new(FakeLink {
            address: address.clone(),
            state: watch::Sender::new(LinkState::Idle),
            connects_at_once: !self.by_hand,
            behaviour: Mutex::new(Box::new(|_| Ok(()))),
            delay: Mutex::default(),
            answer: Mutex::default(),
            health: watch::Sender::new(None),
            on_close: Mutex::default(),
            calls: AtomicUsize::new(0),
            connects: AtomicUsize::new(0),
            closes: AtomicUsize::new(0),
        });
        self.links.lock().unwrap().insert(address.clone(), link.clone());
        link
    }
}

/// Tells what a registry in the process does, and is doubted like one that forgets who does not renew.
struct Forgetful(Arc<dyn Resolver>);

impl Resolver for Forgetful {
    fn watch(&self) -> Box<dyn Watch> {
        self.0.watch()
    }
}

pub(crate) struct Fleet {
    pub(crate) memory: MemoryRegistry,
    pub(crate) transport: FakeTransport,
    pub(crate) endpoints: Endpoints,
    pub(crate) pick: Pick<Measure<ToLink>>,
}

/// The address of the n-th instance.
pub(crate) fn address(n: usize) -> String {
    format!("10.0.0.{}:{}", n / 1000, 1000 + n % 1000)
}

pub(crate) fn instance(n: usize) -> Instance {
    Instance::new(format!("i-{n}")).with_address("fake", address(n).parse().unwrap())
}

/// These are in this process, each under its id.
pub(crate) fn in_process<const N: usize>(ids: [&'static str; N]) -> Near {
    Near::new().in_process(move |instance| {
        let id = instance.id.as_str();
        ids.contains(&id).then(|| id.into())
    })
}

impl Fleet {
    pub(crate) fn new() -> Self {
        Self::over(FakeTransport::default())
    }

    /// What the registry says is believed, and at once.
    pub(crate) fn over(transport: FakeTransport) -> Self {
        let mut follow = FollowConfig::default();
        follow.hold_back = HoldBack::off();
        follow.settle = Duration::ZERO;
        Self::following(transport, follow)
    }

    pub(crate) fn following(transport: FakeTransport, follow: FollowConfig) -> Self {
        let mut config = in_turn();
        config.follow = follow;
        Self::configured(transport, config)
    }

    /// With settings of its own; what the registry says is believed, and at once, unless they say otherwise.
    pub(crate) fn routed(transport: FakeTransport, mut config: EndpointsConfig) -> Self {
        config.follow.hold_back = HoldBack::off();
        config.follow.settle = Duration::ZERO;
        Self::configured(transport, config)
    }

    /// The same, with usual settings but for the health.
    pub(crate) fn judged_by(health: HealthConfig) -> Self {
        let mut config = in_turn();
        config.health = health;
        Self::routed(FakeTransport::default(), config)
    }

    /// With settings of its own, also for what the registry says.
    pub(crate) fn configured(transport: FakeTransport, config: EndpointsConfig) -> Self {
        let memory = MemoryRegistry::new();
        let endpoints = Endpoints::configured(
            "memory:///test",
            Arc::new(Forgetful(memory.resolver_of("test"))),
            Arc::new(transport.clone()),
            config,
        );
        let pick = PickLayer::new(endpoints.clone()).layer(MeasureLayer::new().layer(ToLink));
        Self {
            memory,
            transport,
            endpoints,
            pick,
        }
    }

    pub(crate) async fn announce(&self, instance: &Instance) -> Box<dyn Registration> {
        self.memory.announce("test", instance).await.unwrap()
    }

    /// Announces the instances 0 to `n`.
    pub(crate) async fn with(self, n: usize) -> (Self, Vec<Box<dyn Registration>>) {
        let mut registrations = Vec::new();
        for n in 0..n {
            registrations.push(self.announce(&instance(n)).await);
        }
        (self, registrations)
    }

    pub(crate) async fn call(&self) -> Result<Reply, Status> {
        self.call_waiting(false).await
    }

    pub(crate) async fn call_waiting(&self, wait: bool) -> Result<Reply, Status> {
        let mut call = call();
        call.options.wait_for_ready = Some(wait);
        self.pick.call(&mut call).await
    }

    /// Who answers a call that is made in a context, by address.
    pub(crate) async fn call_in(&self, context: Context) -> Result<String, Status> {
        let mut call = call();
        call.context = context;
        self.answers(&mut call).await
    }

    /// Who answers a call, by address.
    pub(crate) async fn answers(&self, call: &mut Call<'_>) -> Result<String, Status> {
        let reply = self.pick.call(call).await?;
        Ok(reply.peer.unwrap().to_string())
    }

    /// Who answered, of so many calls, by address.
    pub(crate) async fn tally(&self, calls: usize) -> HashMap<String, usize> {
        let mut tally = HashMap::new();
        for _ in 0..calls {
            let peer = self.call().await.unwrap().peer.unwrap();
            *tally.entry(peer.to_string()).or_default() += 1;
        }
        tally
    }

    /// Waits until the snapshot is as it shall be. The clock stands still; the wait only hands over.
    pub(crate) async fn until(&self, f: impl Fn(&Snapshot) -> bool) {
        self.endpoints.start().unwrap();
        let reached = async {
            while !f(&self.endpoints.snapshot()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), reached)
            .await
            .expect("the snapshot never got there");
    }

    pub(crate) async fn until_ready(&self, n: usize) {
        self.until(|snapshot| snapshot.counts().ready == n).await;
    }
}

pub(crate) fn call() -> Call<'static> {
    Call::new(
        Method::from(&METHOD),
        "json",
        Body::Encoded(Encoded { bytes: Bytes::new() }),
    )
}

/// A call with an entry in its metadata.
pub(crate) fn call_with(key: &str, value: &str) -> Call<'static> {
    let mut call = call();
    call.metadata.insert(key, value).unwrap();
    call
}

/// The usual settings, but that each endpoint gets a call in turn: tests can tell then who is next.
pub(crate) fn in_turn() -> EndpointsConfig {
    let mut config = EndpointsConfig::default();
    config.balancer = Arc::new(RoundRobin::starting_at(0));
    config
}

/// Lets every task run that can.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
