//! The watch of an endpoint's health, at a server that says what the test tells it to.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rpc_core::{
    Call, CallFuture, Code, Response, ServiceDescriptor, Stage as _, Status, Streaming,
    health::{CheckResponse, HEALTH, WATCH, WireStatus},
    message::Sender,
    net::Address,
    server::{Dispatch, Router, Service, server_streaming},
    transport::{Link, LinkState, LocalTransport},
};
use rpc_lb::health_watch::{Health, HealthWatch, HealthWatchConfig};
use tokio::{sync::watch, time::Instant};

const SHOP: &str = "shop.v1.Inventory";

/// What the server does with the next watch.
enum Script {
    Refuse(Code),
    Answer(Streaming<CheckResponse>),
}

#[derive(Clone, Default)]
struct Server {
    scripts: Arc<Mutex<VecDeque<Script>>>,
    asked: Arc<Mutex<Vec<String>>>,
    opened: Arc<AtomicUsize>,
}

impl Server {
    fn refuse(&self, code: Code) {
        self.scripts.lock().unwrap().push_back(Script::Refuse(code));
    }

    /// The next watch is answered through what is returned.
    fn answer(&self) -> Sender<CheckResponse> {
        let (sender, stream) = Streaming::channel(4);
        self.scripts.lock().unwrap().push_back(Script::Answer(stream));
        sender
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

impl Service for Server {
    fn descriptor(&self) -> &'static ServiceDescriptor {
        &HEALTH
    }

    fn call<'a>(&'a self, _: usize, call: &'a mut Call<'_>) -> CallFuture<'a> {
        server_streaming(&WATCH, call, async move |request| {
            self.asked.lock().unwrap().push(request.into_inner().service);
            self.opened.fetch_add(1, Ordering::SeqCst);
            let script = self.scripts.lock().unwrap().pop_front();
            match script {
                Some(Script::Answer(stream)) => Ok(Response::new(stream)),
                Some(Script::Refuse(code)) => Err(Status::new(code, "as the test wants it")),
                None => Err(Status::unavailable("nothing more is scripted")),
            }
        })
    }
}

/// A link into the server whose state the test sets.
struct Wire {
    server: LocalTransport,
    address: Address,
    state: watch::Sender<LinkState>,
    connects: AtomicUsize,
}

impl Wire {
    fn to(server: &Server) -> Arc<Self> {
        let mut router = Router::new();
        router.add(Arc::new(server.clone())).unwrap();
        Arc::new(Self {
            server: LocalTransport::new(Dispatch::new(Arc::new(router))),
            address: "127.0.0.1:1".parse().unwrap(),
            state: watch::Sender::new(LinkState::Ready),
            connects: AtomicUsize::new(0),
        })
    }
}

impl Link for Wire {
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
        CallFuture::new(self.server.call(call))
    }

    fn address(&self) -> &Address {
        &self.address
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn connect(&self) {
        self.connects.fetch_add(1, Ordering::SeqCst);
    }

    fn close(&self) {
        self.state.send_replace(LinkState::Closed);
    }
}

fn watch(link: &Arc<Wire>) -> HealthWatch {
    let mut config = HealthWatchConfig::default();
    config.seed = Some(11);
    HealthWatch::new(Arc::clone(link) as Arc<dyn Link>, SHOP, config)
}

async fn say(sender: &Sender<CheckResponse>, status: WireStatus) {
    sender.send(status.into()).await.unwrap();
}

/// True if nothing changes in an hour: on paused time that is certain at once.
async fn is_quiet(watch: &mut HealthWatch) -> bool {
    let hour = Duration::from_hours(1);
    tokio::time::timeout(hour, watch.changed()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_is_known() {
    let server = Server::default();
    let says = server.answer();
    let mut watch = watch(&Wire::to(&server));
    assert_eq!(watch.health(), Health::Unknown);
    assert_eq!(server.opened(), 0, "nothing is sent before it is polled");
    for (said, known) in [
        (WireStatus::Serving, Health::Serving),
        (WireStatus::NotServing, Health::NotServing),
        (WireStatus::Serving, Health::Serving),
        (WireStatus::ServiceUnknown, Health::NotServing),
    ] {
        say(&says, said).await;
        assert_eq!(watch.changed().await, Some(known));
        assert_eq!(watch.health(), known);
    }
    // No news.
    say(&says, WireStatus::Unknown).await;
    assert!(is_quiet(&mut watch).await);
    assert_eq!(*server.asked.lock().unwrap(), [SHOP]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_is_opened_again_after_a_pause() {
    let server = Server::default();
    let says = server.answer();
    let again = server.answer();
    let mut watch = watch(&Wire::to(&server));
    say(&says, WireStatus::NotServing).await;
    assert_eq!(watch.changed().await, Some(Health::NotServing));
    let broken = Instant::now();
    says.fail(Status::unavailable("gone"));
    assert_eq!(watch.changed().await, Some(Health::Unknown));
    say(&again, WireStatus::Serving).await;
    assert_eq!(watch.changed().await, Some(Health::Serving));
    let pause = broken.elapsed();
    assert!(!pause.is_zero() && pause <= Duration::from_secs(1), "{pause:?}");
    // A clean end is one as well.
    drop(again);
    assert_eq!(watch.changed().await, Some(Health::Unknown));
    assert_eq!(server.opened(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_keeps_refusing_is_asked_ever_more_seldom() {
    let server = Server::default();
    for code in [Code::Unavailable, Code::Internal, Code::PermissionDenied] {
        server.refuse(code);
    }
    let mut watch = watch(&Wire::to(&server));
    assert!(is_quiet(&mut watch).await, "nothing is known all the while");
    // The mean pause is a minute once it has grown; without growth it would be half a second.
    let opened = server.opened();
    assert!((20..240).contains(&opened), "{opened} streams in an hour");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_health_serves_until_it_is_connected_to_anew() {
    let server = Server::default();
    server.refuse(Code::Unimplemented);
    let says = server.answer();
    let link = Wire::to(&server);
    let mut watch = watch(&link);
    assert_eq!(watch.changed().await, Some(Health::Serving));
    assert!(is_quiet(&mut watch).await);
    assert_eq!(server.opened(), 1, "it is not asked again");
    // Another server at the same address, which has the service.
    link.state.send_replace(LinkState::Connecting);
    assert_eq!(watch.changed().await, Some(Health::Unknown));
    link.state.send_replace(LinkState::Ready);
    say(&says, WireStatus::NotServing).await;
    assert_eq!(watch.changed().await, Some(Health::NotServing));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_known_and_nothing_asked_while_the_link_is_not_connected() {
    let server = Server::default();
    let first = server.answer();
    let second = server.answer();
    let link = Wire::to(&server);
    link.state.send_replace(LinkState::Idle);
    let mut watch = watch(&link);
    assert!(is_quiet(&mut watch).await);
    assert_eq!(server.opened(), 0);
    assert_eq!(link.connects.load(Ordering::SeqCst), 0, "idle stays idle");
    link.state.send_replace(LinkState::Ready);
    say(&first, WireStatus::Serving).await;
    assert_eq!(watch.changed().await, Some(Health::Serving));
    link.state
        .send_replace(LinkState::Failing(Status::unavailable("refused")));
    assert_eq!(watch.changed().await, Some(Health::Unknown));
    assert!(
        first.send(WireStatus::Serving.into()).await.is_err(),
        "the stream is ended"
    );
    assert!(is_quiet(&mut watch).await);
    link.state.send_replace(LinkState::Ready);
    say(&second, WireStatus::NotServing).await;
    assert_eq!(watch.changed().await, Some(Health::NotServing));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_link() {
    let server = Server::default();
    let says = server.answer();
    let link = Wire::to(&server);
    let mut watch = watch(&link);
    say(&says, WireStatus::Serving).await;
    assert_eq!(watch.changed().await, Some(Health::Serving));
    link.close();
    assert_eq!(watch.changed().await, Some(Health::Unknown));
    assert_eq!(watch.changed().await, None);
    assert_eq!(watch.changed().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_dropped_ends_its_stream() {
    let server = Server::default();
    let says = server.answer();
    let mut watch = watch(&Wire::to(&server));
    say(&says, WireStatus::Serving).await;
    assert_eq!(watch.changed().await, Some(Health::Serving));
    drop(watch);
    assert!(says.send(WireStatus::Serving.into()).await.is_err());
}
