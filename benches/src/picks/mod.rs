//! What it costs to choose an endpoint, among few and among many.
//!
//! By itself: a picker, a list of endpoints with a history, and a look at the clock, as a call has it. What is measured is CPU
//! time. With ten thousand endpoints it is mostly the memory's: nothing that a pick looks at is in a cache.

mod list;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use rpc::{
    Call,
    lb::{
        Balancer,
        balance::{
            HashKey, LeastRequest, Maglev, Orca, OrcaConfig, P2c, Prequal, PrequalConfig, Random, RingHash,
            RoundRobin, ShortestResponse, Smart, Weighted,
        },
    },
};

use self::list::List;
use crate::{
    allocations,
    cell::{Cell, PLAIN, Scenario},
    options::Options,
    record::Record,
    sample::{self, Sample, Samples},
    shape::{Runtimes, Shape},
    usage::Usage,
};

/// Among how many endpoints.
pub(crate) const ENDPOINTS: [usize; 3] = [10, 1_000, 10_000];

/// Picks between two looks at whether time is up.
const AT_ONCE: u64 = 1000;

/// The balancers, on random numbers that are the same each time.
pub(crate) fn balancers() -> Vec<Box<dyn Balancer>> {
    vec![
        Box::new(RoundRobin::starting_at(0)),
        Box::new(Weighted::starting_at(0)),
        Box::new(Random::new().with_seed(1)),
        Box::new(P2c::new().with_seed(1)),
        Box::new(LeastRequest::default().with_seed(1)),
        Box::new(ShortestResponse::default().with_seed(1)),
        Box::new(Smart::default().with_seed(1)),
        Box::new(Orca::new(OrcaConfig::default()).expect("the defaults are in range")),
        Box::new(
            Prequal::new(PrequalConfig::default())
                .expect("the defaults are in range")
                .with_seed(1),
        ),
        // The calls have no key: each has a hash by chance.
        Box::new(RingHash::new(HashKey::Extension)),
        Box::new(Maglev::new(HashKey::Extension)),
    ]
}

/// Measures all balancers.
pub(crate) fn run(build: &str, options: &Options) -> Vec<Record> {
    let cell = Cell {
        shape: Shape::OneCpu,
        scenario: Scenario::Pick,
        payload: 0,
        concurrency: 1,
    };
    if !options.wants(&cell.name()) || build != PLAIN {
        return Vec::new();
    }
    eprintln!("{build}: {}", cell.name());
    // Pinned as the clients of other cells are.
    let runtime = Runtimes::of_client();
    let (window, rounds) = (options.window / 4, options.rounds);
    let mut records = Vec::new();
    for balancer in balancers() {
        let name = balancer.name();
        if options.subject.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        for endpoints in ENDPOINTS {
            let list = List::new(&*balancer, endpoints);
            let measured = runtime.spawn(async move {
                let mut samples = Samples::default();
                for _ in 0..rounds {
                    let measure = || measure(&list, window);
                    samples.push(sample::undisturbed(cell.shape, f64::NAN, measure));
                }
                samples
            });
            let samples = runtime.block_on(measured).expect("no pick panics");
            records.push(Record {
                endpoints: Some(endpoints),
                ..Record::new(build, &cell, name).with_calls(&samples)
            });
        }
    }
    records
}

/// Picks so often: what instructions are counted of.
pub(crate) fn pick(balancer: &dyn Balancer, endpoints: usize, picks: u32) {
    let list = List::new(balancer, endpoints);
    let call = list::call();
    for _ in 0..picks {
        choose(&list, &call);
    }
}

fn measure(list: &List, window: Duration) -> Sample {
    let call = list::call();
    let until = Instant::now() + window / 5;
    while Instant::now() < until {
        choose(list, &call);
    }
    let (usage, blocks, start) = (Usage::now(), allocations::count(), Instant::now());
    let mut picks = 0;
    while start.elapsed() < window {
        for _ in 0..AT_ONCE {
            choose(list, &call);
        }
        picks += AT_ONCE;
    }
    let (elapsed, blocks, now) = (start.elapsed(), allocations::count() - blocks, Usage::now());
    let per_pick = 1.0 / picks as f64;
    Sample {
        calls_per_second: picks as f64 / elapsed.as_secs_f64(),
        p50_us: f64::NAN,
        p99_us: f64::NAN,
        p999_us: f64::NAN,
        cpu_us_per_call: now.cpu_since(usage).as_secs_f64() * 1e6 * per_pick,
        allocs_per_call: blocks as f64 * per_pick,
        others: now.others_since(usage),
        ..Sample::default()
    }
}

/// One pick, as a call makes it: the time, the choice, and a reference to what was chosen.
#[inline(never)]
fn choose(list: &List, call: &Call<'_>) {
    drop(black_box(list.choose(call)));
}
