//! An open loop: calls are due at fixed times, whether earlier ones are answered or not.
//!
//! Latency counts from when a call was *due*. Counting from when it was sent would leave out what a stall does to the
//! calls that it keeps from being sent, and a closed loop does not even send them (coordinated omission).
//!
//! The calls are started by a thread of their own: a task that paces inside of the client's runtime would delay what it
//! measures. What is left of its own lateness counts as latency too, and is the same for every subject.

use std::{
    panic,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hdrhistogram::Histogram;
use tokio::{runtime::Handle, sync::Semaphore};

use crate::{
    allocations,
    sample::{Sample, new_histogram, quantile_us},
    subjects::Caller,
    usage::{self, Usage},
};

/// A subject that falls this many calls behind is not given more until it has caught up; what is due meanwhile is late.
const OUTSTANDING: usize = 10_000;

/// Starts calls at a rate for a window, after a warm-up of a fifth of it.
pub(crate) fn measure<C: Caller>(
    runtime: &Handle,
    caller: &C,
    payload: usize,
    per_second: u32,
    window: Duration,
) -> Sample {
    let body = Bytes::from(vec![0x5a; payload]);
    let caller = caller.clone();
    on_a_thread(move || {
        generate(runtime, &caller, &body, per_second, window / 5);
        generate(runtime, &caller, &body, per_second, window)
    })
}

/// Runs what starts calls, where nothing else keeps it from doing so in time.
pub(crate) fn on_a_thread<R: Send>(generate: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let generator = scope.spawn(move || {
            // The kernel would else add up to 50 us to each sleep. Without it, the figures are worse for everybody.
            #[cfg(target_os = "linux")]
            let _ = nix::sys::prctl::set_timerslack(1);
            generate()
        });
        generator
            .join()
            .unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })
}

/// Starts a call whenever one is due, from when the schedule starts, and waits for the last to end.
pub(crate) fn pace<F>(
    runtime: &Handle,
    schedule: &Schedule,
    window: Duration,
    mut call: impl FnMut(Instant) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let outstanding = Arc::new(Semaphore::new(OUTSTANDING));
    for index in 0..schedule.len(window) {
        let due = schedule.due(index);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let permit = runtime.block_on(Arc::clone(&outstanding).acquire_owned());
        let call = call(due);
        runtime.spawn(async move {
            call.await;
            drop(permit);
        });
    }
    let all = runtime.block_on(outstanding.acquire_many(OUTSTANDING as u32));
    drop(all);
}

fn generate<C: Caller>(
    runtime: &Handle,
    caller: &C,
    body: &Bytes,
    per_second: u32,
    window: Duration,
) -> Sample {
    let latencies = Arc::new(Mutex::new(Latencies::new()));
    let (usage, paced, blocks) = (Usage::now(), usage::of_thread(), allocations::count());
    let schedule = Schedule::new(Instant::now(), per_second);
    pace(runtime, &schedule, window, |due| {
        let (mut caller, body, latencies) = (caller.clone(), body.clone(), Arc::clone(&latencies));
        async move {
            caller.unary(body).await;
            let end = Instant::now();
            let mut latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
            latencies.record(due, end);
        }
    });
    let elapsed = schedule.start.elapsed();
    let (blocks, now) = (allocations::count() - blocks, Usage::now());
    // What starting the calls takes is no part of them.
    let cpu = now
        .cpu_since(usage)
        .saturating_sub(usage::of_thread().saturating_sub(paced));
    let latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
    let calls = latencies.0.len();
    let per_call = 1.0 / calls.max(1) as f64;
    Sample {
        calls_per_second: calls as f64 / elapsed.as_secs_f64(),
        p50_us: quantile_us(&latencies.0, 0.50),
        p99_us: quantile_us(&latencies.0, 0.99),
        p999_us: quantile_us(&latencies.0, 0.999),
        cpu_us_per_call: cpu.as_secs_f64() * 1e6 * per_call,
        allocs_per_call: blocks as f64 * per_call,
        others: now.others_since(usage),
        ..Sample::default()
    }
}

/// When each call is due.
pub(crate) struct Schedule {
    pub(crate) start: Instant,
    per_second: u32,
}

impl Schedule {
    pub(crate) fn new(start: Instant, per_second: u32) -> Self {
        Self { start, per_second }
    }

    /// From the start, not from the call before: what is late once is not late for ever.
    fn due(&self, index: u64) -> Instant {
        let nanos = u128::from(index) * 1_000_000_000 / u128::from(self.per_second);
        self.start + Duration::from_nanos(nanos as u64)
    }

    fn len(&self, window: Duration) -> u64 {
        (window.as_nanos() * u128::from(self.per_second) / 1_000_000_000) as u64
    }
}

/// From due to done.
struct Latencies(Histogram<u64>);

impl Latencies {
    fn new() -> Self {
        Self(new_histogram())
    }

    fn record(&mut self, due: Instant, end: Instant) {
        let latency = end.saturating_duration_since(due);
        self.0.saturating_record(latency.as_nanos() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dues_do_not_drift() {
        let schedule = Schedule::new(Instant::now(), 3);
        assert_eq!(schedule.len(Duration::from_secs(2)), 6);
        assert_eq!(schedule.due(3) - schedule.start, Duration::from_secs(1));
        assert_eq!(
            schedule.due(3_000_000) - schedule.start,
            Duration::from_secs(1_000_000)
        );
    }

    /// A server that answers in 1 ms but stands still for the first half of a second: of the 1,000 calls of a second, 500
    /// were kept waiting by it. Counted from when they were sent, one at a time, a single call would have been slow.
    #[test]
    fn a_stall_counts_for_every_call_it_delays() {
        let schedule = Schedule::new(Instant::now(), 1000);
        let (service, stall) = (Duration::from_millis(1), Duration::from_millis(500));
        let mut latencies = Latencies::new();
        for index in 0..schedule.len(Duration::from_secs(1)) {
            let due = schedule.due(index);
            latencies.record(due, due.max(schedule.start + stall) + service);
        }
        let median = quantile_us(&latencies.0, 0.5) / 1e3;
        let upper = quantile_us(&latencies.0, 0.99) / 1e3;
        assert!((0.9..=10.0).contains(&median), "{median} ms");
        assert!((480.0..=500.0).contains(&upper), "{upper} ms");
        assert_eq!(latencies.0.len(), 1000);
        let late = latencies.0.count_between(2_000_000, u64::MAX);
        assert!((495..=500).contains(&late), "{late}");
    }
}
