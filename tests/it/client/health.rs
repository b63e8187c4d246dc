//! Endpoints that fare badly, over real sockets.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rpc::{
    CallOptions,
    lb::{
        HealthConfig, RoundRobin, Snapshot,
        health::{EjectReason, Sickness},
    },
    prelude::*,
    server::ServingStatus,
    status::{Verdict, reason},
};
use tokio::time::{sleep, timeout};

use super::support::{Echo, EchoClient, EchoServer, LONG, Named, Running};

/// In these tests an error of the application's says that the endpoint is broken.
fn strict(result: Result<(), &Status>) -> Verdict {
    match result {
        Err(status) if status.code() == Code::FailedPrecondition => Verdict::Failed,
        other => Verdict::of(other),
    }
}

#[tokio::test]
async fn what_counts_as_a_failure_is_the_users_to_say() {
    let memory = MemoryRegistry::new();
    let mut running = Vec::new();
    for name in ["a", "b", "c"] {
        running.push(Running::announced(name, &memory).await);
    }
    let builder = || {
        Client::builder()
            .target("memory:///echo")
            .registry(memory.clone())
            .wait_for_ready(true)
    };
    let usual = builder().build().unwrap();
    let client = builder().classify(strict).build().unwrap();
    for client in [&usual, &client] {
        let all = async {
            client.ready().await.unwrap();
            while client.endpoints().snapshot().ready().len() < 3 {
                sleep(Duration::from_millis(1)).await;
            }
            for _ in 0..15 {
                let _ = EchoClient::new(client).fail("no".to_owned()).await.unwrap_err();
            }
        };
        timeout(LONG, all).await.unwrap();
    }

    // All three have failed five times in a row, and one of three may be ejected.
    let ejected = async {
        while client.endpoints().snapshot().counts().sick < 1 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, ejected).await.expect("none was ejected");
    let view = client.endpoints().view();
    let reasons: Vec<_> = view
        .iter()
        .filter_map(|view| match view.sickness {
            Some(Sickness::Ejected(ejection)) => Some(ejection.reason),
            _ => None,
        })
        .collect();
    // More than five, where calls went on until somebody looked.
    assert!(
        matches!(reasons[..], [EjectReason::ConsecutiveFailures(5..)]),
        "{reasons:?}"
    );
    let mut names = BTreeSet::new();
    for _ in 0..20 {
        names.insert(EchoClient::new(&client).name().await.unwrap());
    }
    assert!(names.len() < 3, "{names:?}");
    assert_eq!(usual.endpoints().snapshot().counts().sick, 0);
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_stream_is_in_flight_until_it_is_dropped() {
    let memory = MemoryRegistry::new();
    let running = Running::announced("a", &memory).await;
    let client = Client::builder()
        .target("memory:///echo")
        .registry(memory)
        .wait_for_ready(true)
        .build()
        .unwrap();
    let in_flight = || client.endpoints().view()[0].in_flight;
    let mut numbers = EchoClient::new(&client).drip(1).await.unwrap();
    numbers.message().await.unwrap();
    assert_eq!(in_flight(), 1);
    assert_eq!(EchoClient::new(&client).name().await.unwrap(), "a");
    assert_eq!(in_flight(), 1);
    drop(numbers);
    assert_eq!(in_flight(), 0);
    running.stop().await.unwrap();
}

const ECHO: &str = "client.test.v1.Echo";

/// A client that calls these servers in turn.
async fn in_turn(running: &[Running], framed: bool, health: HealthConfig) -> Client {
    let addresses: Vec<_> = running.iter().map(|running| &*running.address).collect();
    let client = Client::builder()
        .target(format!("static://{}", addresses.join(",")))
        .balancer(RoundRobin::new())
        .prefer_framed(framed)
        .health(health)
        .build()
        .unwrap();
    client.ready().await.unwrap();
    until(&client, |snapshot| snapshot.ready().len() == running.len()).await;
    client
}

/// The same, which asks them for their health.
async fn watching(running: &[Running], framed: bool) -> Client {
    let client = in_turn(running, framed, HealthConfig::new().with_watch(ECHO)).await;
    // One that has not answered yet gets half of its share.
    let all_serve = async {
        while client.endpoints().view().iter().any(|view| view.weight < 99.0) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, all_serve).await.expect("some never answer");
    client
}

async fn until(client: &Client, f: impl Fn(&Snapshot) -> bool) {
    let reached = async {
        while !f(&client.endpoints().snapshot()) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, reached).await.expect("the client never got there");
}

/// Endpoints say by turns that they do not serve, and that they do again, while calls are made.
async fn calls_go_where_it_is_served(framed: bool) {
    let running = [Running::start("a").await, Running::start("b").await];
    let client = watching(&running, framed).await;
    let echo = EchoClient::new(&client);
    let protocol = if framed { "framed" } else { "grpc" };
    for _ in 0..4 {
        assert_eq!(echo.protocol().await.unwrap(), protocol);
    }

    let stop = Arc::new(AtomicBool::new(false));
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let caller = |_| {
        let (echo, stop, names) = (echo.clone(), Arc::clone(&stop), Arc::clone(&names));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let name = echo.name().await?;
                names.lock().unwrap().insert(name);
            }
            Ok::<_, Status>(())
        })
    };
    let callers: Vec<_> = (0..4).map(caller).collect();
    for (away, other) in [(0, "b"), (1, "a"), (0, "b")] {
        running[away].health.set(ECHO, ServingStatus::NotServing);
        until(&client, |snapshot| snapshot.counts().sick == 1).await;
        let view = client.endpoints().view();
        let sick: Vec<_> = view.iter().filter(|view| view.sickness.is_some()).collect();
        assert_eq!(sick.len(), 1);
        assert_eq!(sick[0].address.to_string(), running[away].address);
        assert_eq!(sick[0].sickness, Some(Sickness::NotServing));
        for _ in 0..20 {
            assert_eq!(echo.name().await.unwrap(), other);
        }
        running[away].health.set(ECHO, ServingStatus::Serving);
        until(&client, |snapshot| snapshot.counts().sick == 0).await;
        names.lock().unwrap().clear();
        let both = async {
            while names.lock().unwrap().len() < 2 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LONG, both).await.expect("one is never called again");
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        let ended = timeout(LONG, caller).await.unwrap().unwrap();
        ended.expect("no call fails");
    }
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_where_it_is_served_over_grpc() {
    calls_go_where_it_is_served(false).await;
}

#[cfg(feature = "framed")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_where_it_is_served_over_framed() {
    calls_go_where_it_is_served(true).await;
}

/// Its answer to a watch is UNIMPLEMENTED: it gets its whole share all the same.
async fn a_server_without_health_serves(framed: bool) {
    let silent = Server::builder().add_service(EchoServer::new(Named("silent".to_owned())));
    let running = [
        Running::start("a").await,
        Running::serve(silent.without_health()).await,
    ];
    let client = watching(&running, framed).await;
    assert_eq!(client.endpoints().snapshot().counts().sick, 0);
    let echo = EchoClient::new(&client);
    let mut names = BTreeSet::new();
    for _ in 0..10 {
        names.insert(echo.name().await.unwrap());
    }
    assert_eq!(names.len(), 2, "{names:?}");
    // It is the only one once the other does not serve.
    running[0].health.set(ECHO, ServingStatus::NotServing);
    until(&client, |snapshot| snapshot.counts().sick == 1).await;
    assert_eq!(echo.name().await.unwrap(), "silent");
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_health_serves_over_grpc() {
    a_server_without_health_serves(false).await;
}

#[cfg(feature = "framed")]
#[tokio::test]
async fn a_server_without_health_serves_over_framed() {
    a_server_without_health_serves(true).await;
}

/// What a caller of another version believes that the service is.
#[rpc::service(package = "client.test.v1", name = "Echo")]
trait Newer {
    async fn fail(&self, reason: Why) -> Result<()>;
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
enum Why {
    Asked(u32),
}

fn failures(client: &Client) -> Vec<u32> {
    let view = client.endpoints().view();
    view.iter().map(|view| view.consecutive_failures).collect()
}

/// What fails on the caller's own side, or because a server does not understand it, says nothing of the endpoint; a deadline and a
/// lost connection do.
async fn only_what_is_the_endpoints_counts(framed: bool) {
    let running = [Running::start("a").await, Running::start("b").await];
    let client = in_turn(&running, framed, HealthConfig::new()).await;
    let echo = EchoClient::new(&client);
    for _ in 0..10 {
        let (sender, numbers) = Streaming::channel(2);
        sender.send(1).await.unwrap();
        sender.fail(Status::internal("the disk is gone"));
        let status = timeout(LONG, echo.sum(numbers)).await.unwrap().unwrap_err();
        assert_eq!(status.message(), "the disk is gone");
    }
    for _ in 0..10 {
        let strange = EchoClient::new(&client).with_options(CallOptions::new().with_compression("lz77"));
        let status = strange.name().await.unwrap_err();
        assert_eq!(status.reason(), Some(reason::COMPRESSION_UNKNOWN));
    }
    for _ in 0..10 {
        let status = NewerClient::new(&client).fail(Why::Asked(1)).await.unwrap_err();
        assert_eq!(status.reason(), Some(reason::MESSAGE_MALFORMED));
    }
    assert_eq!(failures(&client), [0, 0]);

    for _ in 0..2 {
        let status = echo.wait_bounded(1 << 20).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
    assert_eq!(failures(&client), [1, 1]);
    for running in running {
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn only_what_is_the_endpoints_counts_over_grpc() {
    only_what_is_the_endpoints_counts(false).await;
}

#[cfg(feature = "framed")]
#[tokio::test]
async fn only_what_is_the_endpoints_counts_over_framed() {
    only_what_is_the_endpoints_counts(true).await;
}
