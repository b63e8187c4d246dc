//! The server's side.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use rpc::{
    Server,
    lb::RoundRobin,
    net::Address,
    prelude::*,
    registry::{Amendment, Fault, InstanceState, Registration, Registry},
    server::{HealthReporter, ServingStatus},
};

use super::support::{Book, Named, Running, WhoServer, in_time, server, tally, until, until_ready};

#[tokio::test]
async fn a_server_serves_while_its_registry_is_down_and_is_announced_when_it_is_back() {
    let book = Book::default();
    book.set_down(true);
    let running = Running::start(server("a").registry(book.clone()).announce_at("book:///who")).await;
    let client = Client::builder()
        .registry(book.clone())
        .target("book:///who")
        .build()
        .unwrap();
    let status = client.ready().await.unwrap_err();
    assert!(status.to_string().contains("the book is closed"), "{status}");
    book.set_down(false);
    until_ready(&client, 1).await;
    assert_eq!(tally(&client, 3).await.len(), 1);
    running.stop().await;
    assert_eq!(book.instances(), 0);
}

#[tokio::test]
async fn a_registry_that_has_lost_all_gets_all_back_and_no_call_fails() {
    let book = Book::default();
    let mut running = Vec::new();
    for name in ["a", "b", "c"] {
        running.push(Running::start(server(name).registry(book.clone()).announce_at("book:///who")).await);
    }
    let client = Client::builder()
        .registry(book.clone())
        .target("book:///who")
        .balancer(RoundRobin::new())
        .build()
        .unwrap();
    until_ready(&client, 3).await;
    book.wipe();
    assert_eq!(book.instances(), 0);
    in_time(async {
        while book.instances() < 3 {
            tally(&client, 30).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    until(|| client.endpoints().snapshot().counts().suspect == 0).await;
    assert_eq!(tally(&client, 30).await.len(), 3);
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn several_registries_at_once() {
    let (book, memory) = (Book::default(), MemoryRegistry::new());
    let running = Running::start(
        server("a")
            .registry(book.clone())
            .registry(memory.clone())
            .announce_at("book:///who")
            .announce_at("memory:///who"),
    )
    .await;
    until(|| book.instances() == 1 && memory.instances("who").len() == 1).await;
    running.stop().await;
    assert!(book.instances() == 0 && memory.instances("who").is_empty());
}

#[tokio::test]
async fn it_starts_disabled_and_is_enabled_and_amended_while_it_runs() {
    let memory = MemoryRegistry::new();
    let builder = server("a").register(memory.clone(), "who").start_disabled();
    let running = Running::start(builder).await;
    let shown = || memory.instances("who").pop();
    until(|| shown().is_some_and(|instance| instance.state == InstanceState::Disabled)).await;
    let client = Client::builder()
        .registry(memory.clone())
        .target("memory:///who")
        .build()
        .unwrap();
    let status = client.ready().await.unwrap_err();
    assert!(status.to_string().contains("disabled"), "{status}");
    running.instance.enable();
    until_ready(&client, 1).await;
    running.instance.amend(&Amendment::new().with_weight(5));
    until(|| shown().is_some_and(|instance| instance.weight == 5)).await;
    until(|| client.endpoints().snapshot().ready()[0].instance().weight == 5).await;
    running.stop().await;
}

/// Keeps what health said at the moment of each announcement.
#[derive(Clone)]
struct Witness {
    memory: MemoryRegistry,
    health: HealthReporter,
    said: Arc<Mutex<Vec<Option<ServingStatus>>>>,
}

#[async_trait]
impl Registry for Witness {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        self.said.lock().unwrap().push(self.health.get(""));
        self.memory.announce(name, instance).await
    }
}

#[tokio::test]
async fn it_is_announced_once_health_says_so() {
    let (memory, health) = (MemoryRegistry::new(), HealthReporter::new());
    health.set("", ServingStatus::NotServing);
    let witness = Witness {
        memory: memory.clone(),
        health: health.clone(),
        said: Arc::default(),
    };
    let said = Arc::clone(&witness.said);
    let builder = server("a").register(witness, "who").health(health.clone());
    let running = Running::start(builder).await;
    // It serves whoever knows its address: an announcement would have been made by now.
    let direct = Client::builder()
        .target(format!("static://{}", running.address))
        .build()
        .unwrap();
    assert_eq!(tally(&direct, 3).await, [("a".to_owned(), 3)].into());
    assert!(memory.instances("who").is_empty());
    health.set("", ServingStatus::Serving);
    until(|| !memory.instances("who").is_empty()).await;
    assert_eq!(*said.lock().unwrap(), [Some(ServingStatus::Serving)]);
    running.stop().await;
}

#[tokio::test]
async fn all_addresses_of_a_host_are_announced_as_one_that_can_be_called() {
    let memory = MemoryRegistry::new();
    let announced = |builder: rpc::ServerBuilder| {
        let memory = memory.clone();
        async move {
            let running = Running::at(builder, vec!["0.0.0.0:0".to_owned()]).await;
            until(|| !memory.instances("who").is_empty()).await;
            let address = memory.instances("who")[0].address_for("grpc").cloned();
            running.stop().await;
            address.unwrap()
        }
    };
    let Address::Socket(socket) = announced(server("a").register(memory.clone(), "who")).await else {
        panic!("a socket's address")
    };
    assert!(!socket.ip().is_unspecified() && socket.port() != 0);
    let said = announced(server("a").register(memory.clone(), "who").advertise("127.0.0.7")).await;
    assert!(said.to_string().starts_with("127.0.0.7:"), "{said}");
    let said = announced(
        server("a")
            .register(memory.clone(), "who")
            .advertise("shop.internal:443"),
    )
    .await;
    assert_eq!(said.to_string(), "shop.internal:443");
}

#[test]
fn mistakes_name_the_method() {
    let memory = MemoryRegistry::new;
    let bare = || Server::builder().add_service(WhoServer::new(Named("a".to_owned())));
    for (builder, field, expected) in [
        (
            bare().announce_at("memory:///who"),
            "registry",
            ".registry(memory.clone())",
        ),
        (
            bare().announce_at("static://a:1"),
            "announce_at",
            "nothing can be announced",
        ),
        (bare().announce_at("shop"), "announce_at", "no scheme"),
        (
            bare().registry(memory()).announce_at("memory:///"),
            "announce_at",
            "no name",
        ),
        (bare().start_disabled(), "start_disabled", "no registry"),
        (bare().advertise("a"), "advertise", "no registry"),
        (
            bare().register(memory(), "who").advertise("0.0.0.0"),
            "advertise",
            "nobody can call",
        ),
        (
            bare().register(memory(), "who").advertise("10.0.0.7:0"),
            "advertise",
            "port 0",
        ),
        (
            bare().register(memory(), "who").advertise("local:who"),
            "advertise",
            "this process",
        ),
        (
            bare()
                .register(memory(), "who")
                .advertise("10.0.0.7")
                .instance(Instance::new("a").with_address("grpc", "10.0.0.8:1".parse().unwrap())),
            "advertise",
            "addresses of its own",
        ),
        (
            bare().register(memory(), "who").instance(Instance::new("")),
            "instance",
            "`id`",
        ),
        (
            bare()
                .register(memory(), "who")
                .instance(Instance::new("a").with_group("vip,eu")),
            "instance",
            "`groups`",
        ),
        (bare().register(memory(), ""), "register", "name is empty"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.field(), field, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
