//! A fleet that changes while calls are made, over real sockets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rpc::{
    lb::RoundRobin,
    prelude::*,
    registry::{InstanceState, Registry as _},
};
use tokio::time::{sleep, timeout};

use super::support::{Echo, EchoClient, LONG, Running};

async fn until_ready(client: &Client, instances: usize) {
    let reached = async {
        client.ready().await.unwrap();
        while client.endpoints().snapshot().ready().len() != instances {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, reached).await.expect("the client never found them");
}

async fn fleet(names: &[&str]) -> (MemoryRegistry, Vec<Running>, Client) {
    let memory = MemoryRegistry::new();
    let mut running = Vec::new();
    for name in names {
        running.push(Running::announced(name, &memory).await);
    }
    let client = Client::builder()
        .target("memory:///echo")
        .registry(memory.clone())
        .balancer(RoundRobin::new())
        .wait_for_ready(true);
    let client = client.build().unwrap();
    until_ready(&client, names.len()).await;
    (memory, running, client)
}

#[tokio::test]
async fn each_instance_gets_its_turn() {
    let (_memory, running, client) = fleet(&["a", "b", "c"]).await;
    let echo = EchoClient::new(&client);
    let mut tally = BTreeMap::<_, u32>::new();
    for _ in 0..30 {
        *tally.entry(echo.name().await.unwrap()).or_default() += 1;
    }
    assert_eq!(tally, ["a", "b", "c"].map(|name| (name.to_owned(), 10)).into());
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_stop_and_start_without_a_failed_call() {
    let (memory, running, client) = fleet(&["i-0", "i-1", "i-2"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let caller = |_| {
        let (echo, stop, names) = (EchoClient::new(&client), Arc::clone(&stop), Arc::clone(&names));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let name = echo.name().await?;
                names.lock().unwrap().insert(name);
                let mut numbers = echo.count(3).await?;
                while numbers.message().await?.is_some() {}
            }
            Ok::<_, Status>(())
        })
    };
    let callers: Vec<_> = (0..4).map(caller).collect();
    let mut running: std::collections::VecDeque<_> = running.into();
    for n in 3..9 {
        running.push_back(Running::announced(&format!("i-{n}"), &memory).await);
        until_ready(&client, 4).await;
        // All that are there are called.
        let are_called = async {
            while names.lock().unwrap().len() <= n {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, are_called).await.expect("some are never called");
        running.pop_front().unwrap().stop().await.unwrap();
        until_ready(&client, 3).await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        timeout(LONG, caller)
            .await
            .unwrap()
            .unwrap()
            .expect("no call fails");
    }
    assert_eq!(names.lock().unwrap().len(), 9);
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_record_without_a_server_is_passed_over() {
    let (memory, running, client) = fleet(&["a"]).await;
    // It is bound, and does not listen: nobody else can get the port meanwhile.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = silent.local_addr().unwrap();
    let dead = Instance::new("dead").with_address("grpc", address.into());
    let _registration = memory.announce("echo", &dead).await.unwrap();
    let echo = EchoClient::new(&client);
    for _ in 0..50 {
        assert_eq!(echo.name().await.unwrap(), "a");
    }
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_draining_instance_gets_no_new_call_and_ends_its_streams_in_peace() {
    let memory = MemoryRegistry::new();
    let (a, b) = (Running::start("a").await, Running::start("b").await);
    let instance = |running: &Running, name: &str| {
        Instance::new(name.to_owned()).with_address("grpc", running.address.parse().unwrap())
    };
    let mut registered = memory.announce("echo", &instance(&a, "a")).await.unwrap();
    let client = Client::builder()
        .target("memory:///echo")
        .registry(memory.clone())
        .build()
        .unwrap();
    until_ready(&client, 1).await;
    let echo = EchoClient::new(&client);
    let mut numbers = echo.drip(1).await.unwrap();
    let _second = memory.announce("echo", &instance(&b, "b")).await.unwrap();
    until_ready(&client, 2).await;
    registered
        .amend(&instance(&a, "a").with_state(InstanceState::Draining))
        .await
        .unwrap();
    until_ready(&client, 1).await;
    for _ in 0..20 {
        assert_eq!(echo.name().await.unwrap(), "b");
        assert!(numbers.message().await.unwrap().is_some());
    }
    // Gone from the registry: the link is closed, and the stream on it goes on.
    registered.withdraw().await.unwrap();
    for _ in 0..20 {
        assert!(numbers.message().await.unwrap().is_some());
    }
    drop(numbers);
    for running in [a, b] {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn who_waits_for_ready_waits_for_the_first_instance() {
    let memory = MemoryRegistry::new();
    let client = Client::builder()
        .target("memory:///echo")
        .registry(memory.clone())
        .wait_for_ready(true);
    let client = client.build().unwrap();
    let echo = EchoClient::new(&client);
    let call = tokio::spawn(async move { echo.name().await });
    sleep(Duration::from_millis(20)).await;
    assert!(!call.is_finished());
    let running = Running::announced("a", &memory).await;
    assert_eq!(timeout(LONG, call).await.unwrap().unwrap().unwrap(), "a");
    running.stop().await.unwrap();
}
