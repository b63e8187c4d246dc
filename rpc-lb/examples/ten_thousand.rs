//! What ten thousand instances of one service cost a client: time from the registry's answer to the picker, and memory.
//!
//! ```text
//! cargo run --release -p rpc-lb --example ten_thousand
//! ```
//!
//! Links are made that are ready at once, so that what is measured is the way of the records: check, doubt, filter, compare,
//! endpoints, snapshot. Memory is what the process grows by in resident pages, records included and code left out; what a link
//! of a real transport keeps comes on top, as far as the fleet is not narrowed. Printed are medians; the aims are below 50 ms for
//! the first list, below 1 ms for a change of one instance, and below 2.5 KiB an instance. It fails where the last is missed:
//! how long things take is the machine's affair as well.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use rpc_core::{
    Call, Status,
    net::Address,
    transport::{Link, LinkState, Transport},
};
use rpc_lb::{Endpoints, EndpointsConfig};
use rpc_registry::{Fault, FollowConfig, Instance, Resolver, Update, Watch};
use tokio::sync::{mpsc, watch};

const INSTANCES: usize = 10_000;
const ROUNDS: usize = 15;
/// What an instance is to stay below.
const MAX_BYTES: u64 = 2560;

fn instance(n: usize) -> Instance {
    let address = format!("10.{}.{}.{}:50051", n >> 16, (n >> 8) & 255, n & 255);
    Instance::new(format!("shop-{n:05}"))
        .with_address("grpc", address.parse().expect("an address"))
        .with_zone(format!("zone-{}", n % 3))
        .with_version("v1.2.3")
        .with_metadata("commit", format!("{n:040x}"))
        .with_metadata("rack", format!("rack-{}", n % 40))
}

struct Told(Mutex<Option<mpsc::UnboundedReceiver<Update>>>);

struct Telling(mpsc::UnboundedReceiver<Update>);

impl Resolver for Told {
    fn watch(&self) -> Box<dyn Watch> {
        let updates = self.0.lock().expect("nobody panics").take();
        Box::new(Telling(updates.expect("it is watched once")))
    }
}

#[async_trait]
impl Watch for Telling {
    async fn next(&mut self) -> Result<Update, Fault> {
        match self.0.recv().await {
            Some(update) => Ok(update),
            None => std::future::pending().await,
        }
    }
}

/// Makes links that are ready. They share one state: what a link keeps of its own is its transport's affair.
struct Ready(watch::Sender<LinkState>);

struct ReadyLink {
    address: Address,
    state: watch::Sender<LinkState>,
}

impl Transport for Ready {
    fn protocol(&self) -> &'static str {
        "grpc"
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        Arc::new(ReadyLink {
            address: address.clone(),
            state: self.0.clone(),
        })
    }
}

impl Link for ReadyLink {
    fn call<'a>(&'a self, _: &'a mut Call<'_>) -> rpc_core::CallFuture<'a> {
        rpc_core::CallFuture::ready(Err(Status::unimplemented("nobody calls")))
    }

    fn address(&self) -> &Address {
        &self.address
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn connect(&self) {}

    fn close(&self) {}
}

/// Waits until so many can be picked; the time since `start`.
async fn ready(endpoints: &Endpoints, instances: usize, start: Instant) -> Duration {
    loop {
        if endpoints.snapshot().ready().len() == instances {
            return start.elapsed();
        }
        tokio::task::yield_now().await;
    }
}

struct Round {
    list: Duration,
    put: Duration,
    gone: Duration,
    bytes: u64,
}

async fn round() -> Round {
    let (tell, updates) = mpsc::unbounded_channel();
    let mut config = EndpointsConfig::default();
    config.follow = FollowConfig::default();
    config.follow.settle = Duration::ZERO;
    let resolver = Arc::new(Told(Mutex::new(Some(updates))));
    let endpoints = Endpoints::configured(
        "told:///shop",
        resolver,
        Arc::new(Ready(watch::Sender::new(LinkState::Ready))),
        config,
    );
    endpoints.start().expect("a runtime");
    tokio::task::yield_now().await;

    let before = resident_bytes();
    let list = Update::Snapshot((0..INSTANCES).map(instance).map(Ok).collect());
    let start = Instant::now();
    tell.send(list).expect("it is watched");
    let list = ready(&endpoints, INSTANCES, start).await;
    let bytes = resident_bytes().saturating_sub(before);

    let (put, gone) = (vec![Ok(instance(INSTANCES))], Vec::new());
    let start = Instant::now();
    tell.send(Update::Delta { put, gone }).expect("it is watched");
    let put = ready(&endpoints, INSTANCES + 1, start).await;

    let start = Instant::now();
    let delta = Update::Delta {
        put: Vec::new(),
        gone: vec![instance(7).id],
    };
    tell.send(delta).expect("it is watched");
    let gone = ready(&endpoints, INSTANCES, start).await;
    Round {
        list,
        put,
        gone,
        bytes,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut rounds = Vec::new();
    // Memory is told by the first round: later ones use again what the allocator has kept.
    for _ in 0..ROUNDS {
        rounds.push(round().await);
    }
    let bytes = rounds[0].bytes / INSTANCES as u64;
    let median = |of: fn(&Round) -> Duration| {
        let mut all: Vec<_> = rounds.iter().map(of).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    println!(
        "list of {INSTANCES} to picker:   {:?}",
        median(|round| round.list)
    );
    println!("one more to picker:       {:?}", median(|round| round.put));
    println!("one less to picker:       {:?}", median(|round| round.gone));
    println!("memory an instance:       {bytes} bytes");
    if bytes >= MAX_BYTES {
        eprintln!("an instance is to take less than {MAX_BYTES} bytes");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Resident memory of this process, but for what is mapped from files; 0 where that is not known.
fn resident_bytes() -> u64 {
    let pages = || {
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        let mut fields = text
            .split(' ')
            .skip(1)
            .map_while(|field| field.parse::<u64>().ok());
        let (resident, mapped) = (fields.next()?, fields.next()?);
        resident.checked_sub(mapped)
    };
    pages().unwrap_or(0) * 4096
}
