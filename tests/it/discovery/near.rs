//! Deployed together: this process first, then this host.

use std::time::Duration;

use rpc::{
    LocalServers,
    net::Address,
    prelude::*,
    registry::HoldBack,
    server::{HealthReporter, ServingStatus},
    stage::CallService,
};
use tower_layer::layer_fn;

use super::support::{Book, Running, Who, WhoClient, WhoServer, in_time, server, tally, until, until_ready};

#[tokio::test]
async fn a_server_of_this_process_is_called_directly_and_the_others_take_over_when_it_stops() {
    let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
    let far = Running::start(server("far").register(memory.clone(), "who")).await;
    let near = Running::start(
        server("near")
            .register(memory.clone(), "who")
            .local_servers(&local),
    )
    .await;
    until(|| memory.instances("who").len() == 2).await;
    let client = || {
        Client::builder()
            .registry(memory.clone())
            .target("memory:///who")
            .balancer(rpc::lb::RoundRobin::new())
    };
    let client_there = client().local_servers(&local).build().unwrap();
    until_ready(&client_there, 1).await;
    assert_eq!(tally(&client_there, 10).await, [("near".to_owned(), 10)].into());
    let snapshot = client_there.endpoints().snapshot();
    assert!(matches!(snapshot.ready()[0].address(), Address::Local(_)));
    drop(snapshot);

    let elsewhere = client().build().unwrap();
    until_ready(&elsewhere, 2).await;
    assert_eq!(tally(&elsewhere, 10).await.len(), 2);

    // No call fails while it stops.
    let stopping = tokio::spawn(near.stop());
    while tally(&client_there, 10).await.contains_key("near") {}
    assert_eq!(tally(&client_there, 10).await, [("far".to_owned(), 10)].into());
    stopping.await.unwrap();
    far.stop().await;
}

/// Fails.
struct Broken;

impl Who for Broken {
    async fn name(&self) -> Result<String> {
        Err(Status::internal("broken"))
    }
}

#[tokio::test]
async fn the_others_take_over_from_a_server_of_this_process_that_fails() {
    let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
    let far = Running::start(server("far").register(memory.clone(), "who")).await;
    let near = Server::builder()
        .add_service(WhoServer::new(Broken))
        .instance(Instance::new("near"))
        .without_signals()
        .register(memory.clone(), "who")
        .local_servers(&local);
    let near = Running::start(near).await;
    until(|| memory.instances("who").len() == 2).await;
    let client = Client::builder()
        .registry(memory.clone())
        .target("memory:///who")
        .local_servers(&local)
        .build()
        .unwrap();
    client.endpoints().start().unwrap();
    until(|| client.endpoints().snapshot().counts().ready == 2).await;
    let who = WhoClient::new(&client);
    for _ in 0..5 {
        assert_eq!(who.name().await.unwrap_err().code(), Code::Internal);
    }
    until(|| client.endpoints().snapshot().counts().sick == 1).await;
    assert_eq!(tally(&client, 10).await, [("far".to_owned(), 10)].into());
    near.stop().await;
    far.stop().await;
}

/// What an older server does not know.
#[rpc::service(package = "discovery.test.v1")]
trait Newer {
    async fn header(&self, request: Request<String>) -> Result<String>;
}

struct New;

impl Newer for New {
    async fn header(&self, request: Request<String>) -> Result<String> {
        let value = request.metadata().get(request.message());
        Ok(value.unwrap_or("none").to_owned())
    }
}

#[tokio::test]
async fn another_one_answers_what_a_server_of_this_process_does_not_know() {
    let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
    let older = server("older").layer(layer_fn(|inner: CallService| inner));
    let newer = server("newer").add_service(NewerServer::new(New));
    let mut running = Vec::new();
    for builder in [older, newer] {
        running.push(Running::start(builder.register(memory.clone(), "who").local_servers(&local)).await);
    }
    until(|| memory.instances("who").len() == 2).await;
    let client = Client::builder()
        .registry(memory.clone())
        .target("memory:///who")
        .local_servers(&local)
        .balancer(rpc::lb::RoundRobin::new())
        .build()
        .unwrap();
    until_ready(&client, 2).await;
    for _ in 0..4 {
        let mut request = Request::new("x-tenant".to_owned());
        request.metadata_mut().insert("x-tenant", "acme").unwrap();
        assert_eq!(NewerClient::new(&client).header(request).await.unwrap(), "acme");
    }
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn the_latest_server_of_an_id_is_the_one_that_is_called() {
    let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
    let start = |name| {
        let builder = server(name).instance(Instance::new("one"));
        Running::start(builder.register(memory.clone(), "who").local_servers(&local))
    };
    let client = Client::builder()
        .registry(memory.clone())
        .target("memory:///who")
        .local_servers(&local)
        .build()
        .unwrap();
    let who = WhoClient::new(&client);
    let answers = async |name: &str| {
        in_time(async {
            while who.name().await.ok().as_deref() != Some(name) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let snapshot = client.endpoints().snapshot();
        assert!(matches!(snapshot.ready()[0].address(), Address::Local(_)));
    };
    let first = start("a").await;
    answers("a").await;
    first.kill();
    let second = start("b").await;
    answers("b").await;
    // Before the one that it replaces has ended.
    let third = start("c").await;
    answers("c").await;
    let ended = second.handle.clone();
    second.kill();
    in_time(ended.stopped()).await;
    assert_eq!(tally(&client, 10).await, [("c".to_owned(), 10)].into());
    third.stop().await;
}

/// One host's or pod's name is the id of all that run there.
#[tokio::test]
async fn servers_of_one_id_under_different_names_answer_for_their_own() {
    let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
    let mut running = Vec::new();
    for name in ["a", "b"] {
        let builder = server(name).instance(Instance::new("pod"));
        running.push(Running::start(builder.register(memory.clone(), name).local_servers(&local)).await);
    }
    for (target, name) in [("memory:///a", "a"), ("memory:///b", "b")] {
        let client = Client::builder().registry(memory.clone()).target(target);
        let client = client.local_servers(&local).build().unwrap();
        until_ready(&client, 1).await;
        assert_eq!(tally(&client, 3).await, [(name.to_owned(), 3)].into());
        let snapshot = client.endpoints().snapshot();
        assert!(matches!(snapshot.ready()[0].address(), Address::Local(_)));
    }
    for running in running {
        running.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_stops_is_called_directly_until_the_registry_says_so() {
    let (book, local, health) = (Book::default(), LocalServers::new(), HealthReporter::new());
    let builder = server("near").registry(book.clone()).announce_at("book:///who");
    let builder = builder.local_servers(&local).health(health.clone());
    let near = Running::start(builder.notice(Duration::from_hours(1))).await;
    let client = Client::builder()
        .registry(book.clone())
        .target("book:///who")
        .local_servers(&local)
        .build()
        .unwrap();
    until_ready(&client, 1).await;
    book.set_down(true);
    near.handle.shutdown();
    until(|| health.get("") == Some(ServingStatus::NotServing)).await;
    assert_eq!(tally(&client, 10).await, [("near".to_owned(), 10)].into());
    book.set_down(false);
    near.handle.shutdown_now();
    near.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_is_called_directly_to_the_end_where_nobody_else_is() {
    let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
    let builder = server("near").register(memory.clone(), "who");
    let near = Running::start(builder.local_servers(&local).notice(Duration::from_hours(1))).await;
    let client = || {
        let client = Client::builder().registry(memory.clone()).target("memory:///who");
        let client = client.hold_back(HoldBack::off());
        client.local_servers(&local).build().unwrap()
    };
    let (alone, other) = (client(), client());
    until_ready(&alone, 1).await;
    until_ready(&other, 1).await;
    near.handle.shutdown();
    until(|| alone.discovery()[0].listed == 0 && other.discovery()[0].listed == 0).await;
    assert_eq!(tally(&alone, 10).await, [("near".to_owned(), 10)].into());

    let far = Running::start(server("far").register(memory.clone(), "who")).await;
    while tally(&other, 10).await.contains_key("near") {}
    assert_eq!(tally(&other, 10).await, [("far".to_owned(), 10)].into());
    far.stop().await;
    while tally(&other, 10).await.contains_key("far") {}

    near.handle.shutdown_now();
    near.stop().await;
    let who = WhoClient::new(&alone);
    in_time(async { while who.name().await.is_ok() {} }).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_server_of_this_host_is_called_through_its_socket() {
    let memory = MemoryRegistry::new();
    let path = std::env::temp_dir().join(format!("rpc-{}-{:x}.sock", std::process::id(), fastrand::u64(..)));
    let addresses = vec!["127.0.0.1:0".to_owned(), format!("unix:{}", path.display())];
    let near = Running::at(server("near").register(memory.clone(), "who"), addresses).await;
    let far = Running::start(server("far").register(memory.clone(), "who")).await;
    until(|| memory.instances("who").len() == 2).await;
    let client = |prefer| {
        let client = Client::builder()
            .registry(memory.clone())
            .target("memory:///who")
            .balancer(rpc::lb::RoundRobin::new());
        client.prefer_same_host(prefer).build().unwrap()
    };
    let neighbour = client(true);
    until_ready(&neighbour, 1).await;
    assert_eq!(tally(&neighbour, 10).await, [("near".to_owned(), 10)].into());
    assert!(matches!(
        neighbour.endpoints().snapshot().ready()[0].address(),
        Address::Unix(_)
    ));
    // Whoever does not care calls both, over the network.
    let other = client(false);
    until_ready(&other, 2).await;
    let snapshot = other.endpoints().snapshot();
    assert!(
        snapshot
            .ready()
            .iter()
            .all(|endpoint| matches!(endpoint.address(), Address::Socket(_)))
    );
    drop(snapshot);
    near.stop().await;
    until_ready(&neighbour, 1).await;
    assert_eq!(tally(&neighbour, 10).await, [("far".to_owned(), 10)].into());
    far.stop().await;
}

/// Each container of a host has files of its own, under the same paths.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_servers_socket_of_the_same_path_is_left_alone() {
    use rpc::registry::Registry as _;

    let path = std::env::temp_dir().join(format!("rpc-{}-{:x}.sock", std::process::id(), fastrand::u64(..)));
    let socket = format!("unix:{}", path.display());
    let elsewhere = |name| server(name).register(MemoryRegistry::new(), "who");
    let other = Running::at(elsewhere("other"), vec![socket.clone()]).await;
    let right = Running::start(elsewhere("right")).await;
    let host = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let told = Instance::new("right")
        .with_address("grpc", right.address.clone())
        .with_address("grpc", socket.parse().unwrap())
        .with_metadata(Instance::HOST, host.trim());
    // What versions before wrote names no file.
    for told in [told.clone(), told.with_metadata(Instance::SOCKETS, "0:1")] {
        let memory = MemoryRegistry::new();
        let _record = memory.announce("who", &told).await.unwrap();
        let client = Client::builder().registry(memory.clone()).target("memory:///who");
        let client = client.prefer_same_host(true).build().unwrap();
        until_ready(&client, 1).await;
        assert_eq!(tally(&client, 3).await, [("right".to_owned(), 3)].into());
    }
    other.stop().await;
    right.stop().await;
}
