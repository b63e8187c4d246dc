//! Who is out of line with the others. Pure functions of numbers.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use super::{EjectReason, FailurePercentageConfig, LatencyConfig, SuccessRateConfig};

/// What an endpoint did between two sweeps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) key: u64,
    pub(super) class: u64,
    pub(super) successes: u64,
    pub(super) failures: u64,
}

/// What the calls at an endpoint took together that ended well in a window, and how many they were.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    pub(super) key: u64,
    pub(super) class: u64,
    pub(super) total: Duration,
    pub(super) calls: u32,
}

impl Outcome {
    fn calls(&self) -> u64 {
        self.successes.saturating_add(self.failures)
    }

    #[allow(clippy::cast_precision_loss, reason = "a share")]
    fn rate(&self) -> f64 {
        self.successes as f64 / self.calls().max(1) as f64
    }
}

/// Those whose success rate is below `mean - max(stdev * factor, min_gap)` of their class, the worst first.
#[allow(clippy::cast_precision_loss, reason = "shares")]
pub(super) fn by_success_rate(config: &SuccessRateConfig, outcomes: &[Outcome]) -> Vec<(u64, EjectReason)> {
    if !config.enabled {
        return Vec::new();
    }
    let enough = outcomes
        .iter()
        .filter(|outcome| outcome.calls() >= u64::from(config.min_calls.max(1)));
    let mut found = Vec::new();
    for rates in by_class(enough.map(|outcome| (outcome.class, (outcome.key, outcome.rate())))) {
        if rates.len() < config.min_hosts.max(1) as usize {
            continue;
        }
        let count = rates.len() as f64;
        let mean = rates.iter().map(|(_, rate)| rate).sum::<f64>() / count;
        let variance = rates.iter().map(|(_, rate)| (rate - mean).powi(2)).sum::<f64>() / count;
        let gap = f64::max(
            variance.sqrt() * f64::from(config.stdev),
            f64::from(config.min_gap),
        );
        let low = rates.into_iter().filter(|(_, rate)| *rate < mean - gap);
        found.extend(low.map(|(key, rate)| (key, rate, mean)));
    }
    found.sort_by(|(_, one, _), (_, other, _)| one.total_cmp(other));
    let reason = |rate, mean| EjectReason::SuccessRate {
        percent: percent(rate),
        mean_percent: percent(mean),
    };
    let found = found.into_iter();
    found.map(|(key, rate, mean)| (key, reason(rate, mean))).collect()
}

/// The values of each class.
fn by_class<T>(values: impl Iterator<Item = (u64, T)>) -> impl Iterator<Item = Vec<T>> {
    let mut classes = BTreeMap::<_, Vec<_>>::new();
    for (class, value) in values {
        classes.entry(class).or_default().push(value);
    }
    classes.into_values()
}

/// Those that fail too often by themselves, the worst first.
pub(super) fn by_failure_percentage(
    config: &FailurePercentageConfig,
    outcomes: &[Outcome],
) -> Vec<(u64, EjectReason)> {
    let mut rates: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.calls() >= u64::from(config.min_calls.max(1)))
        .map(|outcome| (outcome.key, outcome.rate()))
        .collect();
    if !config.enabled || rates.len() < config.min_hosts.max(1) as usize {
        return Vec::new();
    }
    rates.retain(|(_, rate)| (1.0 - rate) * 100.0 >= f64::from(config.percent));
    rates.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let reason = |rate| EjectReason::FailurePercentage {
        percent: percent(1.0 - rate),
    };
    rates.into_iter().map(|(key, rate)| (key, reason(rate))).collect()
}

/// Those whose mean latency is more than `factor` times the median of their class, the slowest first. The median, not the
/// mean: one that is very slow must not make the others' measure.
pub(super) fn by_latency(config: &LatencyConfig, timed: &[Timed]) -> Vec<(u64, EjectReason)> {
    if !config.enabled {
        return Vec::new();
    }
    let enough = timed
        .iter()
        .filter(|timed| timed.calls >= config.min_calls.max(1));
    let mut found = Vec::new();
    for mut means in by_class(enough.map(|timed| (timed.class, (timed.key, timed.total / timed.calls)))) {
        if means.len() < config.min_hosts.max(3) as usize {
            continue;
        }
        means.sort_by_key(|(_, mean)| Reverse(*mean));
        // Of an even number, the smaller one of the two in the middle.
        let median = means[means.len() / 2].1;
        let limit = (median.as_secs_f64() * f64::from(config.factor))
            .max(median.as_secs_f64() + config.min_gap.as_secs_f64());
        let slow = means
            .into_iter()
            .take_while(|(_, mean)| mean.as_secs_f64() > limit);
        found.extend(slow.map(|(key, mean)| (key, mean, median)));
    }
    found.sort_by_key(|(_, mean, _)| Reverse(*mean));
    let reason = |mean, median| EjectReason::Latency { mean, median };
    let found = found.into_iter();
    found
        .map(|(key, mean, median)| (key, reason(mean, median)))
        .collect()
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share, for people"
)]
fn percent(share: f64) -> u32 {
    (share * 100.0).round().clamp(0.0, 100.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(rates: &[u64]) -> Vec<Outcome> {
        (0..)
            .zip(rates)
            .map(|(key, successes)| Outcome {
                key,
                class: 0,
                successes: *successes,
                failures: 100 - successes,
            })
            .collect()
    }

    fn keys(found: Vec<(u64, EjectReason)>) -> Vec<u64> {
        found.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn one_of_five_that_fails_is_found_by_its_success_rate() {
        let config = SuccessRateConfig::default();
        let find = |rates: &[u64]| keys(by_success_rate(&config, &outcomes(rates)));
        assert_eq!(find(&[100, 100, 0, 100, 100]), [2]);
        assert_eq!(find(&[100, 100, 60, 99, 100]), [2]);
        assert!(
            find(&[100, 100, 99, 100, 100]).is_empty(),
            "one failure is no sickness"
        );
        assert!(
            find(&[50, 50, 50, 50, 50]).is_empty(),
            "all fail: none is out of line"
        );
        assert!(find(&[100, 100, 0, 100]).is_empty(), "too few to compare");
    }

    #[test]
    fn the_worst_comes_first() {
        let mut rates = [100; 20];
        rates[3] = 40;
        rates[7] = 20;
        let found = by_success_rate(&SuccessRateConfig::default(), &outcomes(&rates));
        assert_eq!(keys(found), [7, 3]);
    }

    #[test]
    fn few_calls_say_nothing() {
        let mut some = outcomes(&[100, 100, 100, 100, 100]);
        some.push(Outcome {
            key: 9,
            class: 0,
            successes: 0,
            failures: 99,
        });
        assert!(by_success_rate(&SuccessRateConfig::default(), &some).is_empty());
    }

    #[test]
    fn failure_percentage_looks_at_each_alone() {
        let config = FailurePercentageConfig {
            enabled: true,
            ..FailurePercentageConfig::default()
        };
        let find = |rates: &[u64]| keys(by_failure_percentage(&config, &outcomes(rates)));
        assert_eq!(find(&[15, 16, 0, 100, 100]), [2, 0]);
        assert!(find(&[0, 0, 0, 0]).is_empty(), "too few hosts");
    }

    #[test]
    fn slow_ones_are_found_against_the_median() {
        let find = |millis: &[u64]| {
            let timed: Vec<_> = (0..)
                .zip(millis)
                .map(|(key, millis)| Timed {
                    key,
                    class: 0,
                    total: Duration::from_millis(*millis) * 10,
                    calls: 10,
                })
                .collect();
            keys(by_latency(&LatencyConfig::default(), &timed))
        };
        assert_eq!(find(&[10, 200, 10]), [1]);
        assert_eq!(find(&[10, 200, 10, 300, 10]), [3, 1]);
        assert!(
            find(&[10, 50, 10]).is_empty(),
            "five times is not more than five times"
        );
        assert!(find(&[1, 6, 1]).is_empty(), "six times as slow, and no matter");
        assert!(
            find(&[1, 100]).is_empty(),
            "of two nobody knows which is the odd one"
        );
    }
}
