//! Memory while readers are slower than writers. A process of its own: what it counts is the process's.

#![cfg(target_os = "linux")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use rpc::{Client, Result, Server, Streaming};

/// How many streams there are, each way in turn.
const STREAMS: usize = 64;
/// What one message carries.
const MESSAGE_BYTES: usize = 16 << 10;
/// How many messages each reader takes.
const TAKEN: usize = 40;
/// How many the writer would have sent meanwhile, if nothing had stopped it: a hundred times as many.
const WRITTEN: usize = 100 * TAKEN;
/// The most that resident memory may grow by.
const GROWTH_BYTES: u64 = 64 << 20;

#[rpc::service(package = "memory.v1")]
trait Flood {
    /// More messages than anybody reads.
    async fn down(&self) -> Result<Streaming<Vec<u8>>>;
    /// Takes a few messages, slowly, and says how many came.
    async fn up(&self, messages: Streaming<Vec<u8>>) -> Result<usize>;
}

struct Implementation;

impl Flood for Implementation {
    async fn down(&self) -> Result<Streaming<Vec<u8>>> {
        Ok(flood())
    }

    async fn up(&self, messages: Streaming<Vec<u8>>) -> Result<usize> {
        sip(messages).await
    }
}

fn flood() -> Streaming<Vec<u8>> {
    Streaming::from_iter((0..WRITTEN).map(|_| vec![0x5a; MESSAGE_BYTES]))
}

/// Reads a few messages with a pause after each, then gives up.
async fn sip(mut messages: Streaming<Vec<u8>>) -> Result<usize> {
    let mut taken = 0;
    while taken < TAKEN && messages.message().await?.is_some() {
        taken += 1;
        // The slow reader that this is about; nothing is synchronised by it.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(taken)
}

/// Resident memory, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages: u64 = statm
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse().ok())
        .expect("a number");
    pages * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_slow_readers_each_way_stop_their_writers() {
    let server = Server::builder()
        .add_service(FloodServer::new(Implementation))
        .without_signals()
        .build()
        .expect("a server");
    let bound = server.bind("127.0.0.1:0").await.expect("a free port");
    let target = format!("static://{}", bound.local_addresses()[0]);
    let _handle = bound.handle();
    tokio::spawn(bound.serve());
    let client = Client::builder().target(target).build().expect("a client");
    client.ready().await.expect("a connection");
    let stub = FloodClient::new(&client);

    let before = resident();
    let (most, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watcher = std::thread::spawn({
        let (most, done) = (Arc::clone(&most), Arc::clone(&done));
        move || {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(resident(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });

    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let stub = stub.clone();
        readers.spawn(async move { sip(stub.down().await?).await });
    }
    while let Some(taken) = readers.join_next().await {
        assert_eq!(taken.expect("no panic").expect("the stream goes on"), TAKEN);
    }
    for _ in 0..STREAMS {
        let stub = stub.clone();
        readers.spawn(async move { stub.up(flood()).await });
    }
    while let Some(taken) = readers.join_next().await {
        assert_eq!(taken.expect("no panic").expect("the handler answers"), TAKEN);
    }

    done.store(true, Ordering::Relaxed);
    watcher.join().expect("no panic");
    let growth = most.load(Ordering::Relaxed).saturating_sub(before);
    println!("resident memory grew by {} MiB", growth >> 20);
    assert!(growth < GROWTH_BYTES, "{growth} bytes");
}
