//! What a window showed, and what is made of several.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::hop;

/// What one window of one subject showed. A "call" of a streaming scenario is one message.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) calls_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) cpu_us_per_call: f64,
    pub(crate) allocs_per_call: f64,
    /// Which part of the machine other processes used meanwhile, 0 to 1.
    pub(crate) others: f64,
    /// How long a cache line took between the two CPUs and back, if that was measured.
    pub(crate) hop_ns: Option<f64>,
    /// The CPUs were not at the same distance all the time, or not at that of the rest of the cell.
    pub(crate) moved: bool,
}

/// Above this, what others used of the machine spoils a window.
pub(crate) const OTHERS_LIMIT: f64 = 0.05;

impl Sample {
    /// True if other processes used so much of the machine, or its CPUs were so placed, that the figures say little.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.others > OTHERS_LIMIT || self.moved
    }

    /// The same sample with the distances of the CPUs before and after it.
    pub(crate) fn at(self, before: Option<f64>, after: Option<f64>) -> Self {
        let hops = before.zip(after);
        Self {
            hop_ns: hops.map(|(before, after)| f64::midpoint(before, after)),
            moved: hops.is_some_and(|(before, after)| hop::differ(before, after)),
            ..self
        }
    }

    /// True if the CPUs were at another distance than the one given.
    pub(crate) fn is_elsewhere(&self, hop_ns: f64) -> bool {
        self.hop_ns.is_some_and(|ns| hop::differ(ns, hop_ns))
    }
}

/// The samples of one subject in one cell.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<Sample>);

impl Samples {
    pub(crate) fn push(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// Marks those that were not measured at this distance of the CPUs.
    pub(crate) fn settle(&mut self, hop_ns: f64) {
        for sample in &mut self.0 {
            sample.moved |= sample.is_elsewhere(hop_ns);
        }
    }

    /// The distances at which they were measured, where those are known.
    pub(crate) fn hops(&self) -> impl Iterator<Item = f64> {
        self.0.iter().filter_map(|sample| sample.hop_ns)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn disturbed(&self) -> usize {
        self.0.iter().filter(|sample| sample.is_disturbed()).count()
    }

    /// The middle value. Disturbed windows count only where there are no others.
    pub(crate) fn median(&self, of: fn(&Sample) -> f64) -> f64 {
        median(&self.sorted(of))
    }

    /// Largest minus smallest, as a part of the median.
    pub(crate) fn spread(&self, of: fn(&Sample) -> f64) -> f64 {
        let values = self.sorted(of);
        match (values.first(), values.last()) {
            (Some(least), Some(most)) => (most - least) / median(&values),
            _ => f64::NAN,
        }
    }

    fn sorted(&self, of: fn(&Sample) -> f64) -> Vec<f64> {
        let all_are_disturbed = self.disturbed() == self.len();
        let mut values: Vec<f64> = self
            .0
            .iter()
            .filter(|sample| all_are_disturbed || !sample.is_disturbed())
            .map(of)
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }
}

/// The middle of these, not a number if there are none.
pub(crate) fn median_of(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    median(&values)
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// Nanoseconds: 100 ns to a minute, to two digits.
pub(crate) fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(100, 60_000_000_000, 2).expect("the bounds are in order")
}

/// How many latencies are gathered before they are counted.
const GATHERED: usize = 256;

/// The latencies that one task measures.
///
/// Each task has a histogram of its own, and those of many tasks do not fit into the caches: a call would pay for the
/// memory that it is counted in, and drive out what it works with. So they are gathered, and counted many at a time.
#[derive(Debug)]
pub(crate) struct Recorder {
    gathered: Vec<u64>,
    counted: Histogram<u64>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            gathered: Vec::with_capacity(GATHERED),
            counted: new_histogram(),
        }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        self.gathered.push(latency.as_nanos() as u64);
        if self.gathered.len() == GATHERED {
            self.count();
        }
    }

    /// All that was recorded.
    pub(crate) fn into_histogram(mut self) -> Histogram<u64> {
        self.count();
        self.counted
    }

    #[cold]
    fn count(&mut self) {
        for latency in self.gathered.drain(..) {
            self.counted.saturating_record(latency);
        }
    }
}

/// A percentile of a histogram of nanoseconds, in microseconds.
pub(crate) fn quantile_us(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: &[(f64, f64)]) -> Samples {
        let sample = |&(calls_per_second, others)| Sample {
            calls_per_second,
            others,
            ..Sample::default()
        };
        Samples(of.iter().map(sample).collect())
    }

    fn figures(of: &[(f64, f64)]) -> (f64, f64) {
        let samples = samples(of);
        let calls = |sample: &Sample| sample.calls_per_second;
        (samples.median(calls), samples.spread(calls))
    }

    #[test]
    fn median_and_spread() {
        assert_eq!(figures(&[(3.0, 0.0), (1.0, 0.0), (2.0, 0.0)]), (2.0, 1.0));
        assert_eq!(figures(&[(4.0, 0.0), (2.0, 0.0)]), (3.0, 2.0 / 3.0));
        assert!(figures(&[]).0.is_nan());
    }

    #[test]
    fn no_latency_is_forgotten() {
        let mut recorder = Recorder::new();
        for us in 1..=1000 {
            recorder.record(Duration::from_micros(us));
        }
        let latencies = recorder.into_histogram();
        assert_eq!(latencies.len(), 1000);
        let median = quantile_us(&latencies, 0.5);
        assert!((median - 500.0).abs() <= 5.0, "{median}");
    }

    #[test]
    fn windows_at_another_distance_are_dropped() {
        let at = |calls_per_second, before, after| {
            let sample = Sample {
                calls_per_second,
                ..Sample::default()
            };
            sample.at(Some(before), Some(after))
        };
        let mut samples = Samples(vec![
            at(1.0, 75.0, 80.0),
            at(3.0, 410.0, 430.0),
            at(9.0, 80.0, 420.0),
        ]);
        let calls = |sample: &Sample| sample.calls_per_second;
        assert_eq!((samples.disturbed(), samples.median(calls)), (1, 2.0));
        samples.settle(median_of([75.0, 80.0, 90.0].into_iter()));
        assert_eq!((samples.disturbed(), samples.median(calls)), (2, 1.0));
        // Where it is not known, nothing is said.
        let unknown = Sample::default().at(None, Some(75.0));
        assert!(unknown.hop_ns.is_none() && !unknown.is_disturbed() && !unknown.is_elsewhere(75.0));
    }

    #[test]
    fn disturbed_windows_are_dropped_unless_all_are() {
        assert_eq!(figures(&[(3.0, 0.0), (9.0, 0.06), (1.0, 0.04)]), (2.0, 1.0));
        assert_eq!(figures(&[(9.0, 0.06), (7.0, 0.5)]), (8.0, 0.25));
        assert_eq!(samples(&[(9.0, 0.06), (7.0, 0.0)]).disturbed(), 1);
    }
}
