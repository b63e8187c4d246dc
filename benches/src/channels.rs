//! Many channels in one process: what one holds on the heap before it is connected.

use std::time::Duration;

use rpc::Client;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use crate::{
    allocations,
    cell::{Cell, Scenario},
    options::Options,
    record::Record,
    shape::{Runtimes, Shape},
};

/// How many channels there are, and how many endpoints each has.
const CHANNELS: usize = 1000;
const ENDPOINTS: [usize; 2] = [1, 10];

/// Longer than a task takes that has something to do.
const SETTLE: Duration = Duration::from_millis(200);

/// Nobody listens there, and nobody asks.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Measures ours and its peer.
pub(crate) fn run(build: &str, options: &Options) -> Vec<Record> {
    let cell = Cell {
        shape: Shape::OneCpu,
        scenario: Scenario::Channels,
        payload: 0,
        concurrency: 0,
    };
    if !options.wants(&cell.name()) || build != crate::cell::PLAIN {
        return Vec::new();
    }
    eprintln!("{build}: {}", cell.name());
    let runtime = Runtimes::of_client();
    let mut records = Vec::new();
    for endpoints in ENDPOINTS {
        for (subject, bytes) in [
            ("rpc-grpc", heap(&runtime, || ours(endpoints))),
            ("tonic", heap(&runtime, || tonic(endpoints))),
        ] {
            if options.subject.as_ref().is_none_or(|wanted| wanted == subject) {
                records.push(Record {
                    idle: Some(CHANNELS),
                    endpoints: Some(endpoints),
                    heap_client_bytes: Some(bytes),
                    ..Record::new(build, &cell, subject)
                });
            }
        }
    }
    records
}

/// Bytes for each of many.
fn heap<T>(runtime: &Runtime, make: impl Fn() -> T) -> f64 {
    let _guard = runtime.enter();
    // What is made once for all of them.
    drop(make());
    let mut all = Vec::with_capacity(CHANNELS);
    let before = settled_bytes();
    all.resize_with(CHANNELS, make);
    let held = settled_bytes().saturating_sub(before);
    held as f64 / CHANNELS as f64 + size_of::<T>() as f64
}

/// Bytes in use once the tasks that channels start, or leave behind, have had their turn.
fn settled_bytes() -> u64 {
    let mut before = allocations::live_bytes();
    loop {
        std::thread::sleep(SETTLE);
        let now = allocations::live_bytes();
        if now == before {
            return now;
        }
        before = now;
    }
}

fn ours(endpoints: usize) -> Client {
    // Different addresses: the same one twice is one endpoint.
    let addresses: Vec<String> = (1..=endpoints).map(|n| format!("127.0.0.{n}:9")).collect();
    let client = Client::builder().target(format!("static://{}", addresses.join(",")));
    client.build().expect("a client")
}

fn tonic(endpoints: usize) -> Channel {
    let endpoint = || Endpoint::from_static(NOWHERE);
    if endpoints == 1 {
        endpoint().connect_lazy()
    } else {
        Channel::balance_list((0..endpoints).map(|_| endpoint()))
    }
}
