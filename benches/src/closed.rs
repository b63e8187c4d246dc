//! A closed loop: each of so many tasks calls again as soon as it is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{runtime::Handle, task::JoinSet};

use crate::{
    allocations,
    cell::{Cell, Scenario},
    sample::{Recorder, Sample, new_histogram, quantile_us},
    shape::Shape,
    subjects::Caller,
    usage::Usage,
};

/// A task is warming up, measured, or to stop.
const WARM: u8 = 0;
const COUNT: u8 = 1;
const STOP: u8 = 2;

/// By then a client that spreads its calls over several connections has made them.
const SETTLED: Duration = Duration::from_millis(500);

/// Calls in a closed loop, `cell.concurrency` at a time, for a window. A task looks at the clock after each `at_once` calls.
pub(crate) fn measure<C: Caller>(
    runtime: &Handle,
    caller: &C,
    cell: &Cell,
    window: Duration,
    at_once: u32,
) -> Sample {
    let phase = Arc::new(AtomicU8::new(WARM));
    let body = Bytes::from(vec![0x5a; cell.payload]);
    let mut tasks = JoinSet::new();
    for _ in 0..cell.concurrency {
        let (caller, phase, body) = (caller.clone(), Arc::clone(&phase), body.clone());
        tasks.spawn_on(drive(caller, phase, body, cell.scenario, at_once), runtime);
    }
    std::thread::sleep(warm_up(cell, window));
    let (usage, blocks, start) = (Usage::now(), allocations::count(), Instant::now());
    phase.store(COUNT, Ordering::Relaxed);
    std::thread::sleep(window);
    phase.store(STOP, Ordering::Relaxed);
    let (elapsed, blocks) = (start.elapsed(), allocations::count() - blocks);
    let now = Usage::now();
    let (mut calls, mut latencies) = (0, new_histogram());
    runtime.block_on(async {
        while let Some(done) = tasks.join_next().await {
            let done = done.expect("no call fails");
            calls += done.calls;
            latencies
                .add(done.latencies.into_histogram())
                .expect("the same bounds");
        }
    });
    let per_call = 1.0 / calls.max(1) as f64;
    let percentile = |quantile| match at_once {
        1 => quantile_us(&latencies, quantile),
        // A mean of many has no slow calls.
        _ => f64::NAN,
    };
    Sample {
        calls_per_second: calls as f64 / elapsed.as_secs_f64(),
        p50_us: percentile(0.50),
        p99_us: percentile(0.99),
        p999_us: percentile(0.999),
        cpu_us_per_call: now.cpu_since(usage).as_secs_f64() * 1e6 * per_call,
        allocs_per_call: blocks as f64 * per_call,
        others: now.others_since(usage),
        ..Sample::default()
    }
}

fn warm_up(cell: &Cell, window: Duration) -> Duration {
    match cell.shape {
        Shape::Shared => SETTLED.max(window / 5),
        _ => window / 5,
    }
}

struct Done {
    calls: u64,
    latencies: Recorder,
}

async fn drive<C: Caller>(
    mut caller: C,
    phase: Arc<AtomicU8>,
    body: Bytes,
    scenario: Scenario,
    at_once: u32,
) -> Done {
    let (mut calls, mut latencies) = (0, Recorder::new());
    let mut start = Instant::now();
    loop {
        let mut done = 0;
        for _ in 0..at_once {
            let echo = match scenario {
                Scenario::ServerStreaming => {
                    done += caller.stream(body.clone()).await as u64;
                    continue;
                }
                Scenario::UnaryYield => caller.unary_yield(body.clone()).await,
                _ => caller.unary(body.clone()).await,
            };
            assert_eq!(echo.len(), body.len(), "an echo is as long as the call");
            done += 1;
        }
        let end = Instant::now();
        match phase.load(Ordering::Relaxed) {
            WARM => {}
            COUNT => {
                calls += done;
                latencies.record((end - start) / at_once);
            }
            _ => return Done { calls, latencies },
        }
        start = end;
        // A call that never waits, as those in process do not, would keep its worker from everybody else.
        tokio::task::consume_budget().await;
    }
}
