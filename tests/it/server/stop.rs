//! The stop: who is served until when.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use rpc::{Client, ClientBuilder, Code, server::ServingStatus};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::support::{Gate, GateClient, Running, in_time, quiet, target};

/// Longer than any test takes.
const LONG: Duration = Duration::from_hours(1);

#[tokio::test]
async fn during_the_notice_everything_is_served() {
    let gate = Gate::new();
    let running = Running::start(quiet(&gate).notice(LONG)).await;
    let client = running.client();
    client.echo(1).await.unwrap();
    running.handle.shutdown();
    in_time(async {
        while running.health.get("") != Some(ServingStatus::NotServing) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // On the connection that is there, and on a new one.
    assert_eq!(client.echo(2).await.unwrap(), 2);
    assert_eq!(running.client().echo(3).await.unwrap(), 3);
    assert_eq!(
        running.health.get("test.v1.Gate"),
        Some(ServingStatus::NotServing)
    );
    running.handle.shutdown_now();
    running.ended().await;
}

#[tokio::test]
async fn running_calls_go_on_and_new_connections_are_refused() {
    let gate = Gate::new();
    let running = Running::start(quiet(&gate).shutdown_grace(LONG)).await;
    let client = running.client();
    let calls: Vec<_> = (0..10)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.wait(number).await })
        })
        .collect();
    for _ in 0..10 {
        gate.arrived().await;
    }
    running.handle.shutdown();
    running.refuses().await;
    gate.open(10);
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number);
    }
    running.ended().await;
}

#[tokio::test]
async fn a_silent_stream_is_ended_and_calls_are_not() {
    let gate = Gate::new();
    let builder = quiet(&gate)
        .shutdown_grace(LONG)
        .stream_grace(Duration::from_millis(50));
    let running = Running::start(builder).await;
    let client = running.client();
    let mut stream = client.watch(7).await.unwrap();
    assert_eq!(in_time(stream.message()).await.unwrap(), Some(7));
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.wait(8).await }
    });
    gate.arrived().await;
    running.handle.shutdown();
    let status = in_time(stream.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.reason(), Some("DRAINING"), "{status}");
    gate.open(1);
    assert_eq!(call.await.unwrap().unwrap(), 8);
    running.ended().await;
}

#[tokio::test]
async fn when_the_grace_is_over_calls_are_cancelled() {
    let gate = Gate::new();
    let running = Running::start(quiet(&gate).shutdown_grace(Duration::from_millis(50))).await;
    let client = running.client();
    let call = tokio::spawn(async move { client.wait(1).await });
    gate.arrived().await;
    running.stop().await;
    let status = call.await.unwrap().unwrap_err();
    assert!(status.was_processed(), "{status}");
}

#[tokio::test]
async fn a_hurry_cancels_at_once() {
    let gate = Gate::new();
    let running = Running::start(quiet(&gate).shutdown_grace(LONG)).await;
    let client = running.client();
    let call = tokio::spawn(async move { client.wait(1).await });
    gate.arrived().await;
    running.handle.shutdown();
    running.handle.shutdown_now();
    let handle = running.handle.clone();
    running.ended().await;
    in_time(handle.stopped()).await;
    assert!(call.await.unwrap().is_err());
}

#[tokio::test]
async fn half_open_and_idle_connections_do_not_hold_it() {
    let gate = Gate::new();
    let running = Running::start(quiet(&gate).shutdown_grace(LONG)).await;
    let address = running.addresses[0].to_string();
    let _silent = TcpStream::connect(&address).await.unwrap();
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(b"PRI * HT").await.unwrap();
    // The preface, and never a frame.
    let mut mute = TcpStream::connect(&address).await.unwrap();
    mute.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let idle = running.client();
    idle.echo(1).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_future_stops_it_too() {
    let gate = Gate::new();
    let bound = quiet(&gate).build().unwrap().bind("127.0.0.1:0").await.unwrap();
    let client = GateClient(
        Client::builder()
            .target(target(&bound.local_addresses()[0]))
            .build()
            .unwrap()
            .into(),
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(bound.serve_with_shutdown(async {
        let _ = stopped.await;
    }));
    assert_eq!(client.echo(5).await.unwrap(), 5);
    stop.send(()).unwrap();
    in_time(task).await.unwrap().unwrap();
}

#[tokio::test]
async fn dropping_it_closes_everything() {
    let gate = Gate::new();
    let bound = quiet(&gate).build().unwrap().bind("127.0.0.1:0").await.unwrap();
    let (address, handle) = (bound.local_addresses()[0].clone(), bound.handle());
    let client = GateClient(Client::builder().target(target(&address)).build().unwrap().into());
    let task = tokio::spawn(bound.serve());
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.wait(1).await }
    });
    gate.arrived().await;
    task.abort();
    in_time(handle.stopped()).await;
    assert!(call.await.unwrap().is_err());
    in_time(async {
        while TcpStream::connect(address.to_string()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_call_fails() {
    no_call_fails_under_load(8, 1, |client| client).await;
}

/// The calls are spread over several connections to each server when it is stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_over_several_connections_no_call_fails() {
    no_call_fails_under_load(32, 2, |client| {
        let mut config = rpc::grpc::ClientConfig::default();
        config.spread.calls_per_second = 1;
        client.prefer_framed(false).grpc(config)
    })
    .await;
}

/// Two servers, callers that never pause; again and again the one that is called over so many connections is stopped, and
/// another started.
async fn no_call_fails_under_load(
    callers: u32,
    connections: usize,
    change: impl FnOnce(ClientBuilder) -> ClientBuilder,
) {
    let registry = rpc::MemoryRegistry::new();
    let start = async || {
        let gate = Gate::new();
        let builder = quiet(&gate)
            .notice(Duration::from_millis(20))
            .register(registry.clone(), "gate")
            .shutdown_grace(LONG);
        (gate, Running::start(builder).await)
    };
    let client = Client::builder()
        .registry(registry.clone())
        .target("memory:///gate");
    let client = change(client).build().unwrap();
    let endpoints = client.endpoints().clone();
    let client = GateClient(client.into());
    endpoints.start().unwrap();
    // A client that learns later than servers stop has nobody to go to. In production that is what the notice is for; here
    // the machine may be too busy for any that is worth waiting for.
    let knows = async |servers: &[&Running]| {
        let servers: BTreeSet<_> = servers
            .iter()
            .map(|server| server.addresses[0].to_string())
            .collect();
        in_time(async {
            loop {
                let snapshot = endpoints.snapshot();
                let ready = snapshot.ready().iter();
                let ready: BTreeSet<_> = ready.map(|endpoint| endpoint.address().to_string()).collect();
                if ready == servers {
                    break;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    let (mut gate, mut current) = start().await;
    knows(&[&current]).await;
    let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let callers: Vec<_> = (0..callers)
        .map(|number| {
            let (client, done, answered) = (client.clone(), Arc::clone(&done), Arc::clone(&answered));
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(client.echo(number).await.unwrap(), number);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..5 {
        let before = answered.load(Ordering::Relaxed);
        let (next_gate, next) = start().await;
        knows(&[&current, &next]).await;
        in_time(async {
            while answered.load(Ordering::Relaxed) < before + 50 || gate.connections() < connections {
                tokio::task::yield_now().await;
            }
        })
        .await;
        std::mem::replace(&mut current, next).stop().await;
        gate = next_gate;
    }
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    current.stop().await;
}
