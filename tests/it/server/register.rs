//! Registries: announced once it serves, taken out before anything else.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use async_trait::async_trait;
use rpc::{
    Instance, MemoryRegistry,
    registry::{AnnounceState, Fault, FaultKind, InstanceState, Registration, Registry},
    server::{Announcements, HealthReporter, ServingStatus},
};
use tokio::sync::Notify;

use super::support::{Gate, Running, in_time, quiet};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what it is asked; one that is `stuck` never takes anything out.
struct Book {
    log: Log,
    stuck: bool,
}

struct Page {
    log: Log,
    stuck: bool,
}

#[async_trait]
impl Registry for Book {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        self.log
            .lock()
            .unwrap()
            .push(format!("announce {} as {name}, {}", instance.id, instance.state));
        if name == "denied" {
            return Err(Fault::invalid("weight", "no room"));
        }
        Ok(Box::new(Page {
            log: Arc::clone(&self.log),
            stuck: self.stuck,
        }))
    }

    fn notice(&self) -> Duration {
        Duration::from_millis(1)
    }
}

#[async_trait]
impl Registration for Page {
    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault> {
        self.log
            .lock()
            .unwrap()
            .push(format!("amend {}, {}", instance.id, instance.state));
        if self.stuck {
            std::future::pending().await
        } else {
            Ok(())
        }
    }

    async fn withdraw(&mut self) -> Result<(), Fault> {
        self.log.lock().unwrap().push("withdraw".to_owned());
        Ok(())
    }
}

async fn announced(log: &Log) {
    in_time(async {
        while log.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_announced_then_marked_then_taken_out() {
    let log = Log::default();
    let builder = quiet(&Gate::new())
        .register(
            Book {
                log: Arc::clone(&log),
                stuck: false,
            },
            "shop",
        )
        .instance(Instance::new("one"));
    let running = Running::start(builder).await;
    announced(&log).await;
    running.stop().await;
    assert_eq!(
        *log.lock().unwrap(),
        ["announce one as shop, up", "amend one, draining", "withdraw"]
    );
}

#[tokio::test]
async fn addresses_and_start_are_filled_in() {
    let registry = MemoryRegistry::new();
    let running = Running::start(quiet(&Gate::new()).register(registry.clone(), "shop")).await;
    in_time(async {
        while registry.instances("shop").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let instance = registry.instances("shop").remove(0);
    assert_eq!(instance.address_for("grpc"), Some(&running.addresses[0]));
    assert_eq!(instance.state, InstanceState::Up);
    assert!(instance.started_at.is_some());
    assert!(!instance.id.as_str().is_empty());
    running.stop().await;
    assert!(registry.instances("shop").is_empty());
}

#[tokio::test]
async fn the_record_is_gone_while_calls_are_still_served() {
    let registry = MemoryRegistry::new();
    let builder = quiet(&Gate::new())
        .register(registry.clone(), "shop")
        .notice(Duration::from_hours(1));
    let running = Running::start(builder).await;
    let client = running.client();
    client.echo(1).await.unwrap();
    running.handle.shutdown();
    in_time(async {
        while !registry.instances("shop").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(running.health.get(""), Some(ServingStatus::NotServing));
    assert_eq!(client.echo(2).await.unwrap(), 2);
    running.handle.shutdown_now();
    running.ended().await;
}

#[tokio::test]
async fn a_registry_that_does_not_take_it_ends_the_start() {
    let log = Log::default();
    let server = quiet(&Gate::new())
        .register(Book { log, stuck: false }, "denied")
        .build()
        .unwrap();
    let error = in_time(server.serve("127.0.0.1:0")).await.unwrap_err();
    assert!(error.is_announce());
    assert!(
        error.to_string().contains("denied") && error.to_string().contains("no room"),
        "{error}"
    );
}

/// Says no once it is told to.
struct Late(Arc<Notify>);

#[async_trait]
impl Registry for Late {
    async fn announce(&self, _: &str, _: &Instance) -> Result<Box<dyn Registration>, Fault> {
        self.0.notified().await;
        Err(Fault::invalid("weight", "no room"))
    }

    fn notice(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test]
async fn a_server_that_a_registry_refuses_while_it_serves_stops_as_usual() {
    let (gate, registry, no) = (Gate::new(), MemoryRegistry::new(), Arc::new(Notify::new()));
    let builder = quiet(&gate)
        .register(registry.clone(), "shop")
        .register(Late(Arc::clone(&no)), "late")
        .shutdown_grace(Duration::from_hours(1));
    let running = Running::start(builder).await;
    let client = running.client();
    let call = tokio::spawn(async move { client.wait(7).await });
    gate.arrived().await;
    in_time(async {
        while registry.instances("shop").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    no.notify_one();
    running.refuses().await;
    assert!(registry.instances("shop").is_empty());
    gate.open(1);
    assert_eq!(call.await.unwrap().unwrap(), 7);
    let error = running.failed().await;
    assert!(
        error.is_announce() && error.to_string().contains("late"),
        "{error}"
    );
}

/// Says no once, then takes it.
#[derive(Default)]
struct Guarded {
    memory: MemoryRegistry,
    was_asked: AtomicBool,
}

#[async_trait]
impl Registry for Guarded {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        if self.was_asked.swap(true, SeqCst) {
            return self.memory.announce(name, instance).await;
        }
        Err(Fault::new(FaultKind::Denied, "wrong password"))
    }

    fn notice(&self) -> Duration {
        Duration::ZERO
    }
}

fn told(announcements: &Announcements) -> Vec<String> {
    let told = announcements.states().into_iter();
    told.map(|announcement| format!("{}: {:?}", announcement.place, announcement.state))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_announcement_learns_why_it_does_not_come() {
    let builder = quiet(&Gate::new())
        .announce_at("memory:///shop")
        .registry(MemoryRegistry::new())
        .register(Guarded::default(), "guarded");
    let bound = builder.build().unwrap().bind("127.0.0.1:0").await.unwrap();
    let mut announcements = bound.announcements();
    assert_eq!(
        told(&announcements),
        ["guarded: Waiting", "memory:///shop: Waiting"]
    );
    let running = Running::serve(bound);
    let mut is_denied = false;
    while !is_denied || told(&announcements)[1] != "memory:///shop: Announced" {
        assert!(in_time(announcements.changed()).await);
        is_denied = match &announcements.states()[0].state {
            AnnounceState::Away(fault) => fault.kind() == FaultKind::Denied,
            _ => false,
        };
    }
    let waits = announcements.clone();
    let mut everywhere = tokio::spawn(async move { waits.announced().await });
    tokio::task::yield_now().await;
    assert!(!everywhere.is_finished());
    // It is asked again within that time.
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert!(in_time(&mut everywhere).await.unwrap());
    assert_eq!(
        told(&announcements),
        ["guarded: Announced", "memory:///shop: Announced"]
    );
    running.stop().await;
    while in_time(announcements.changed()).await {}
    assert_eq!(
        told(&announcements),
        ["guarded: Withdrawn", "memory:///shop: Withdrawn"]
    );
    assert!(!in_time(announcements.announced()).await);
}

/// Takes the server, and panics when it is to renew the lease, or to say whether it was lost.
#[derive(Clone, Default)]
struct Broken {
    when_lost: bool,
    taken: Arc<AtomicUsize>,
}

#[async_trait]
impl Registry for Broken {
    async fn announce(&self, _: &str, _: &Instance) -> Result<Box<dyn Registration>, Fault> {
        self.taken.fetch_add(1, Relaxed);
        Ok(Box::new(self.clone()))
    }

    fn notice(&self) -> Duration {
        Duration::ZERO
    }
}

#[async_trait]
impl Registration for Broken {
    fn lease(&self) -> Option<Duration> {
        Some(Duration::from_secs(3))
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        panic!("as a test wants it");
    }

    async fn lost(&mut self) -> Fault {
        assert!(!self.when_lost, "as a test wants it");
        std::future::pending().await
    }

    async fn amend(&mut self, _: &Instance) -> Result<(), Fault> {
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_of_a_registry_the_server_is_announced_anew() {
    let builder = quiet(&Gate::new()).register(Broken::default(), "broken");
    let bound = builder.build().unwrap().bind("127.0.0.1:0").await.unwrap();
    let mut announcements = bound.announcements();
    let running = Running::serve(bound);
    let mut panics = 0;
    while panics < 2 {
        assert!(in_time(announcements.announced()).await);
        while let AnnounceState::Announced = announcements.states()[0].state {
            assert!(in_time(announcements.changed()).await);
        }
        let AnnounceState::Away(fault) = announcements.states()[0].state.clone() else {
            panic!("it is tried again: {:?}", announcements.states());
        };
        assert_eq!(fault.to_string(), "the registry panicked");
        panics += 1;
    }
    // In the pause, in which nobody announces.
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_panics_when_it_is_asked_for_a_loss_has_lost_the_server() {
    let broken = Broken {
        when_lost: true,
        ..Broken::default()
    };
    let builder = quiet(&Gate::new()).register(broken.clone(), "broken");
    let bound = builder.build().unwrap().bind("127.0.0.1:0").await.unwrap();
    let mut announcements = bound.announcements();
    let running = Running::serve(bound);
    while broken.taken.load(Relaxed) < 3 {
        assert!(in_time(announcements.changed()).await);
    }
    running.stop().await;
}

#[tokio::test]
async fn nobody_waits_for_an_announcement_that_cannot_come() {
    let server = quiet(&Gate::new())
        .register(MemoryRegistry::new(), "shop")
        .build()
        .unwrap();
    let announcements = server.announcements();
    drop(server);
    assert!(!in_time(announcements.announced()).await);
    let server = quiet(&Gate::new()).build().unwrap();
    assert!(in_time(server.announcements().announced()).await);
}

#[tokio::test]
async fn a_registry_that_hangs_is_left_behind_by_a_hurry() {
    let log = Log::default();
    let running = Running::start(quiet(&Gate::new()).register(
        Book {
            log: Arc::clone(&log),
            stuck: true,
        },
        "shop",
    ))
    .await;
    announced(&log).await;
    running.handle.shutdown();
    running.handle.shutdown_now();
    running.ended().await;
}

/// Registries go by what is said of the server as a whole, also where nobody can ask for it.
#[tokio::test(start_paused = true)]
async fn a_server_without_the_health_service_warms_up_before_it_is_announced() {
    let (registry, health) = (MemoryRegistry::new(), HealthReporter::new());
    health.set("", ServingStatus::NotServing);
    let builder = quiet(&Gate::new()).without_health().health(health.clone());
    let running = Running::start(builder.register(registry.clone(), "shop")).await;
    // Long enough for whatever is going to be announced, or amended, to have been.
    let told = async || {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let instances = registry.instances("shop");
        instances.first().map(|instance| instance.state)
    };
    assert_eq!(told().await, None);
    health.set("", ServingStatus::Serving);
    assert_eq!(told().await, Some(InstanceState::Up));
    health.set("test.v1.Gate", ServingStatus::NotServing);
    assert_eq!(told().await, Some(InstanceState::Up));
    health.set("", ServingStatus::NotServing);
    assert_eq!(told().await, Some(InstanceState::Disabled));
    running.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_advertised_needs_a_port_that_is_listened_on() {
    let path = std::env::temp_dir().join(format!("rpc-advertise-{}.sock", std::process::id()));
    let socket = format!("unix:{}", path.display());
    let bind = async |addresses: Vec<&str>| {
        let builder = quiet(&Gate::new()).register(MemoryRegistry::new(), "shop");
        builder
            .advertise("shop.internal")
            .build()
            .unwrap()
            .bind(addresses)
            .await
    };
    let error = bind(vec![&socket]).await.unwrap_err();
    assert!(error.is_announce());
    assert!(error.to_string().contains("`advertise`"), "{error}");
    assert!(bind(vec![&socket, "127.0.0.1:0"]).await.is_ok());
}
