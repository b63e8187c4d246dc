//! What a window showed, and what is made of several.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::{hop, shape::Shape};

/// What one window of one subject showed. A "call" of a streaming scenario is one message.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    pub(crate) calls_per_second: f64,
    /// Percentiles of single calls, or of whole streams; not a number where calls were timed many at once.
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

/// How often a disturbed window is measured again.
const AGAIN: usize = 2;

/// Measures a window, with the distance of the CPUs, and again where it was disturbed or that is not the usual one. All that
/// runs on one CPU has no distance.
pub(crate) fn undisturbed(shape: Shape, usual_hop: f64, mut measure: impl FnMut() -> Sample) -> Sample {
    let hop_ns = || match shape {
        Shape::OneCpu => None,
        Shape::Shared | Shape::Apart => hop::round_trip_ns(),
    };
    let mut window = || {
        let before = hop_ns();
        let sample = measure();
        sample.at(before, hop_ns())
    };
    let mut sample = window();
    for _ in 0..AGAIN {
        if sample.is_disturbed() || sample.is_elsewhere(usual_hop) {
            sample = window();
        }
    }
    sample
}

/// The distance of the CPUs at which most of these were measured, not a number if that is not known.
pub(crate) fn usual_hop<'s>(all: impl IntoIterator<Item = &'s Samples>) -> f64 {
    median_of(all.into_iter().flat_map(|samples| hops(&samples.0)))
}

impl Sample {
    /// True if other processes used so much of the machine, or its CPUs were so placed, that the figures say little.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.others > OTHERS_LIMIT || self.moved
    }

    /// The same sample with the distances of the CPUs before and after it.
    fn at(self, before: Option<f64>, after: Option<f64>) -> Self {
        let hops = before.zip(after);
        Self {
            hop_ns: hops.map(|(before, after)| f64::midpoint(before, after)),
            moved: hops.is_some_and(|(before, after)| hop::differ(before, after)),
            ..self
        }
    }

    /// True if the CPUs were at another distance than the one given.
    fn is_elsewhere(&self, hop_ns: f64) -> bool {
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

    /// The distance at which those were measured that count, if that is known.
    pub(crate) fn hop_ns(&self) -> Option<f64> {
        Some(median_of(hops(self.kept()))).filter(|ns| !ns.is_nan())
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

    /// The middle of what each round showed, as a multiple of what the same round showed of another subject.
    ///
    /// A machine whose speed drifts is as slow for both of a round. Rounds that were disturbed for either count only where
    /// there are no others.
    pub(crate) fn over(&self, base: &Self, of: fn(&Sample) -> f64) -> f64 {
        let rounds = || self.0.iter().zip(&base.0);
        let is_sound = |(one, other): &(&Sample, &Sample)| !one.is_disturbed() && !other.is_disturbed();
        let none_is_sound = !rounds().any(|round| is_sound(&round));
        median_of(
            rounds()
                .filter(|round| none_is_sound || is_sound(round))
                .map(|(one, other)| of(one) / of(other)),
        )
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
        let mut values: Vec<f64> = self.kept().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// Those that count.
    fn kept(&self) -> impl Iterator<Item = &Sample> {
        let all_are_disturbed = self.disturbed() == self.len();
        let counts = move |sample: &&Sample| all_are_disturbed || !sample.is_disturbed();
        self.0.iter().filter(counts)
    }
}

/// The distances at which samples were taken, where those are known.
fn hops<'s>(samples: impl IntoIterator<Item = &'s Sample>) -> impl Iterator<Item = f64> {
    samples.into_iter().filter_map(|sample| sample.hop_ns)
}

/// The middle of these, not a number if there are none.
fn median_of(values: impl Iterator<Item = f64>) -> f64 {
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
    fn ratios_are_taken_round_by_round() {
        let calls = |sample: &Sample| sample.calls_per_second;
        let over = |one: &[(f64, f64)], other: &[(f64, f64)]| samples(one).over(&samples(other), calls);
        // The machine was half as fast in the last round; medians alone would say 3.
        let slows = [(60.0, 0.0), (60.0, 0.0), (30.0, 0.0)];
        let spoilt = [(90.0, 0.5), (60.0, 0.0), (40.0, 0.0)];
        let ratios = (
            over(&slows, &[(30.0, 0.0), (20.0, 0.0), (15.0, 0.0)]),
            over(&spoilt, &[(30.0, 0.0), (30.0, 0.0), (10.0, 0.5)]),
            over(&spoilt[..1], &slows[..1]),
        );
        assert_eq!(ratios, (2.0, 2.0, 1.5));
        assert!(over(&[], &[]).is_nan());
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
        assert_eq!(
            samples.hop_ns(),
            Some(248.75),
            "of those that were not moved meanwhile"
        );
        samples.settle(median_of([75.0, 80.0, 90.0].into_iter()));
        assert_eq!((samples.disturbed(), samples.median(calls)), (2, 1.0));
        assert_eq!(samples.hop_ns(), Some(77.5), "of those that are kept");
        // Where it is not known, nothing is said.
        let unknown = Sample::default().at(None, Some(75.0));
        assert!(unknown.hop_ns.is_none() && !unknown.is_disturbed() && !unknown.is_elsewhere(75.0));
    }

    #[test]
    fn a_disturbed_window_is_measured_again() {
        let measured = |others: &[f64]| {
            let mut others = others.iter();
            let mut next = || Sample {
                others: *others.next().expect("it is measured no more often"),
                ..Sample::default()
            };
            let sample = undisturbed(Shape::OneCpu, f64::NAN, &mut next);
            assert!(sample.hop_ns.is_none(), "one CPU has no distance");
            (sample.is_disturbed(), others.len())
        };
        assert_eq!(measured(&[0.0, 0.0, 0.0]), (false, 2));
        assert_eq!(measured(&[0.5, 0.0, 0.0]), (false, 1));
        assert_eq!(measured(&[0.5, 0.5, 0.5]), (true, 0));
    }

    #[test]
    fn disturbed_windows_are_dropped_unless_all_are() {
        assert_eq!(figures(&[(3.0, 0.0), (9.0, 0.06), (1.0, 0.04)]), (2.0, 1.0));
        assert_eq!(figures(&[(9.0, 0.06), (7.0, 0.5)]), (8.0, 0.25));
        assert_eq!(samples(&[(9.0, 0.06), (7.0, 0.0)]).disturbed(), 1);
    }
}
