//! How far apart the two CPUs are: how long a cache line takes from one to the other and back.
//!
//! A virtual machine's CPUs are moved about by its host. Two that share a core hand a line over some five times as fast as
//! two that do not, and what is measured over two CPUs then differs by half, the more the more tasks a call passes through.
//! So two subjects are compared only where they were measured at the same distance.

use std::{
    hint::spin_loop,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use crate::shape::pin;

/// How often the line goes there and back in one batch.
const TRIPS: u64 = 2_000;
const BATCHES: usize = 7;

/// A line that does not come back for so long is not waited for: the CPUs are at work for others, or there is only one.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often a thread looks before it asks the clock.
const LOOKS: u32 = 1 << 16;

const OVER: u64 = u64::MAX;

/// In a line of its own.
#[repr(align(128))]
struct Line(AtomicU64);

/// Nanoseconds there and back between CPU 0 and CPU 1, the median of several batches; `None` where that cannot be found out.
pub(crate) fn round_trip_ns() -> Option<f64> {
    if thread::available_parallelism().is_ok_and(|cpus| cpus.get() < 2) {
        return None;
    }
    let line = Line(AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| answer(&line));
        let asked = scope.spawn(|| {
            let batches = pin(0).is_ok().then(|| ask(&line)).flatten();
            line.0.store(OVER, Relaxed);
            batches
        });
        let mut batches = asked.join().ok().flatten()?;
        batches.sort();
        Some(batches[BATCHES / 2].as_nanos() as f64 / TRIPS as f64)
    })
}

/// True if what was measured at one distance says nothing beside what was measured at the other.
pub(crate) fn differ(one: f64, other: f64) -> bool {
    one > other * 2.0 || other > one * 2.0
}

fn ask(line: &Line) -> Option<[Duration; BATCHES]> {
    let mut batches = [Duration::ZERO; BATCHES];
    let mut next = 0;
    for batch in &mut batches {
        let started = Instant::now();
        for _ in 0..TRIPS {
            line.0.store(next + 1, Relaxed);
            next += 2;
            if !comes(line, |value| value == next) {
                return None;
            }
        }
        *batch = started.elapsed();
    }
    Some(batches)
}

fn answer(line: &Line) {
    if pin(1).is_err() {
        return;
    }
    loop {
        if !comes(line, |value| value % 2 == 1) {
            return;
        }
        let value = line.0.load(Relaxed);
        // Unless it is over: then nobody waits.
        let handed_back = line
            .0
            .compare_exchange(value, value.wrapping_add(1), Relaxed, Relaxed);
        if value == OVER || handed_back.is_err() {
            return;
        }
    }
}

/// Waits for a value, but not for ever.
fn comes(line: &Line, is_it: impl Fn(u64) -> bool) -> bool {
    let mut started = None;
    loop {
        for _ in 0..LOOKS {
            if is_it(line.0.load(Relaxed)) {
                return true;
            }
            spin_loop();
        }
        if started.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_nobody_hands_back_is_given_up() {
        assert_eq!(ask(&Line(AtomicU64::new(0))), None);
    }

    #[test]
    fn a_line_comes_back_with_the_next_number_until_it_is_over() {
        let line = Line(AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| answer(&line));
            line.0.store(1, Relaxed);
            let came_back = comes(&line, |value| value == 2);
            line.0.store(OVER, Relaxed);
            let can_pin = scope.spawn(|| pin(1).is_ok()).join();
            assert!(came_back || !can_pin.expect("it does not panic"));
        });
    }

    #[test]
    fn far_and_near_differ_and_noise_does_not() {
        assert!(differ(75.0, 410.0) && differ(410.0, 75.0));
        assert!(!differ(75.0, 90.0) && !differ(430.0, 390.0));
    }
}
