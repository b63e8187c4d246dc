//! Latencies in bounded memory.

use std::time::Duration;

use super::sync::{AtomicU32, Ordering};

/// Nanoseconds below which all count as one: 2^13, 8.2 microseconds.
const LEAST: u32 = 13;
/// Above 2^36 nanoseconds, 69 seconds, all count as one.
const MOST: u32 = 36;
/// Parts of each power of two, as a power of two: a bucket is at most an eighth wide.
const PARTS: u32 = 3;

/// One below, one above, and the parts of the powers of two between.
pub(super) const BUCKETS: usize = (((MOST - LEAST) << PARTS) + 2) as usize;

/// Counts by latency: log-linear buckets, each an eighth of its power of two wide, as HDR histograms have.
#[derive(Debug)]
pub(super) struct Histogram([AtomicU32; BUCKETS]);

impl Histogram {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }

    pub(super) fn record(&self, latency: Duration) {
        self.0[bucket(latency)].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        for count in &self.0 {
            count.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn add_to(&self, counts: &mut [u32; BUCKETS]) {
        for (sum, count) in counts.iter_mut().zip(&self.0) {
            *sum = sum.saturating_add(count.load(Ordering::Relaxed));
        }
    }
}

fn bucket(latency: Duration) -> usize {
    let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
    let power = nanos.checked_ilog2().unwrap_or(0);
    if power < LEAST {
        return 0;
    }
    if power >= MOST {
        return BUCKETS - 1;
    }
    let part = (nanos >> (power - PARTS)) & ((1 << PARTS) - 1);
    1 + (((power - LEAST) as usize) << PARTS) + part as usize
}

/// The middle of a bucket, in nanoseconds.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn middle(bucket: usize) -> f32 {
    let Some(index) = bucket.checked_sub(1) else {
        return (1_u64 << (LEAST - 1)) as f32;
    };
    let power = LEAST + (index >> PARTS) as u32;
    let width = (1_u64 << (power - PARTS)) as f32;
    let part = (index & ((1 << PARTS) - 1)) as f32;
    (1_u64 << power) as f32 + (part + 0.5) * width
}

/// The latencies below which these shares of the counts are, in nanoseconds. Shares ascend.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
pub(super) fn quantiles<const N: usize>(counts: &[u32; BUCKETS], shares: [f32; N]) -> [f32; N] {
    let all: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    let mut found = [0.0; N];
    let (mut bucket, mut below) = (0, u64::from(counts[0]));
    for (quantile, share) in found.iter_mut().zip(shares) {
        let wanted = (f64::from(share) * all as f64).ceil().max(1.0);
        while (below as f64) < wanted && bucket + 1 < BUCKETS {
            bucket += 1;
            below += u64::from(counts[bucket]);
        }
        *quantile = middle(bucket);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_what_is_an_eighth_around_its_middle() {
        let mut nanos = 1_u64 << LEAST;
        while nanos < 1 << MOST {
            let middle = middle(bucket(Duration::from_nanos(nanos)));
            #[allow(clippy::cast_precision_loss)]
            let ratio = middle / nanos as f32;
            assert!((0.93..=1.07).contains(&ratio), "{nanos}: {middle}");
            nanos += nanos / 100;
        }
    }

    #[test]
    fn buckets_ascend_and_have_ends() {
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::from_nanos((1 << LEAST) - 1)), 0);
        assert_eq!(bucket(Duration::from_nanos(1 << LEAST)), 1);
        assert_eq!(bucket(Duration::from_nanos((1 << MOST) - 1)), BUCKETS - 2);
        assert_eq!(bucket(Duration::from_nanos(1 << MOST)), BUCKETS - 1);
        assert_eq!(bucket(Duration::MAX), BUCKETS - 1);
        assert!((1..BUCKETS).all(|bucket| middle(bucket - 1) < middle(bucket)));
    }

    #[test]
    fn quantiles_are_within_a_bucket() {
        let histogram = Histogram::new();
        for ms in 1..=1000 {
            histogram.record(Duration::from_millis(ms));
        }
        let mut counts = [0; BUCKETS];
        histogram.add_to(&mut counts);
        let [p50, p99, p999] = quantiles(&counts, [0.5, 0.99, 0.999]);
        for (is, wanted) in [(p50, 500.0), (p99, 990.0), (p999, 999.0)] {
            let ratio = is / (wanted * 1e6);
            assert!((0.93..=1.07).contains(&ratio), "{is}, not {wanted} ms");
        }
    }
}
