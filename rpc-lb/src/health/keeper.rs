//! What the upkeep knows of the health of its endpoints.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::{
    HealthConfig, SlowStartConfig,
    condition::Condition,
    eject::{Decision, Ejection, Ejector, Sample, What},
    slow_start,
};
use crate::{Endpoint, endpoint::Stats, numbered::Numbered, route::Traffic};

/// Why an endpoint is sick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sickness {
    /// It was ejected.
    Ejected(Ejection),
    /// It says itself that it does not serve.
    NotServing,
}

/// Judges the endpoints of a client.
#[derive(Debug)]
pub(crate) struct Health {
    slow_start: SlowStartConfig,
    ejector: Ejector,
    charts: Numbered<Chart>,
    /// When endpoints were last looked at.
    looked: Option<Instant>,
    round: u64,
}

/// An endpoint, as the upkeep sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'e> {
    pub(crate) number: u64,
    pub(crate) endpoint: &'e Endpoint,
    /// It was on the first list of its target: when it was first seen says nothing of its age.
    pub(crate) is_first: bool,
    /// It cannot be called now: it is off, or not connected, or does not serve.
    pub(crate) is_away: bool,
    /// What it says of its health.
    pub(crate) said: Said,
}

/// What a sweep came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    /// Nothing was decided.
    Nothing,
    /// One has much less weight than before.
    Spared,
    /// One is sick, or well again.
    Sick,
}

/// What an endpoint says of its health, if it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is not asked.
    Nothing,
    /// Nothing is known now.
    Unknown,
    /// It serves.
    #[cfg_attr(not(feature = "prost"), allow(dead_code, reason = "nobody can be asked"))]
    Serving,
    /// It does not.
    #[cfg_attr(not(feature = "prost"), allow(dead_code, reason = "nobody can be asked"))]
    NotServing,
}

/// What is known of one endpoint.
#[derive(Debug)]
struct Chart {
    started_at: Option<SystemTime>,
    /// The age that it had when it was first seen, or when its record last said that it has just started.
    age: Duration,
    at: Instant,
    condition: Condition,
    /// It could not be called when it was last seen, or its connection was lost since.
    was_away: bool,
    /// As how many failures, one after the other, those count from before it came back last.
    failures: u16,
    round: u64,
}

impl Health {
    /// How often [`sweep`](Self::sweep) wants to run while there are calls.
    pub(crate) const PERIOD: Duration = Duration::from_secs(1);
    /// How often at most it runs because calls fail.
    pub(crate) const ALARM: Duration = Duration::from_millis(20);

    pub(crate) fn new(config: &HealthConfig) -> Self {
        Self {
            ejector: Ejector::new(config.eject.clone(), fastrand::u64(..)),
            slow_start: config.slow_start,
            charts: Numbered::new(),
            looked: None,
            round: 0,
        }
    }

    /// True if endpoints are compared with others that get the same requests.
    pub(crate) fn compares(&self) -> bool {
        self.ejector.compares()
    }

    /// Looks at all endpoints, decides, and sets their weights. `traffic` says which of them got the same requests.
    pub(crate) fn sweep<'e>(
        &mut self,
        now: Instant,
        seen: impl Iterator<Item = Seen<'e>> + Clone,
        traffic: &Traffic,
    ) -> Found {
        let class = |number| {
            let at = traffic.binary_search_by_key(&number, |(number, _)| *number);
            at.map_or(0, |at| traffic[at].1)
        };
        let samples = seen
            .clone()
            .map(|seen| (seen.number, sample(seen, class(seen.number))));
        let decisions = self.ejector.sweep(now, samples);
        let found = note(&decisions, seen.clone());
        self.weigh(now, seen);
        found
    }

    /// Sets the weights of all endpoints, and lets those return that are too many since others left.
    pub(crate) fn weigh<'e>(&mut self, now: Instant, seen: impl Iterator<Item = Seen<'e>> + Clone) {
        self.round += 1;
        self.looked = Some(now);
        let mut count = 0;
        // Nobody is held back where there is nobody to take over.
        let mut any_is_grown = false;
        let mut wall = None;
        for seen in seen.clone() {
            count += 1;
            let started_at = seen.endpoint.instance().started_at;
            let new = || Chart::new(started_at, seen.is_first, now, &mut wall);
            let chart = self.charts.get_or_insert_with(seen.number, new);
            chart.round = self.round;
            chart.learn(started_at, now, &mut wall);
            chart.meet(seen.endpoint.stats(), seen.is_away);
            any_is_grown |= !seen.is_away && chart.age(now) >= self.slow_start.window;
        }
        if self.charts.len() > count {
            self.charts.retain(|chart| chart.round == self.round);
        }
        let endpoints = seen.clone().map(|seen| (seen.number, seen.is_away));
        note(&self.ejector.fit(endpoints, now), seen.clone());
        for seen in seen {
            if let Some(chart) = self.charts.get(seen.number) {
                let part = self.part(seen, chart, any_is_grown, now);
                #[allow(clippy::cast_precision_loss, reason = "a weight, not a count")]
                let weight = seen.endpoint.instance().weight as f32 * part;
                let stats = seen.endpoint.stats();
                if stats.weight().to_bits() != weight.to_bits() {
                    stats.set_weight(weight);
                }
            }
        }
    }

    fn part(&self, seen: Seen<'_>, chart: &Chart, any_is_grown: bool, now: Instant) -> f32 {
        let curve = &self.slow_start;
        let young = if any_is_grown {
            curve.share(chart.age(now))
        } else {
            1.0
        };
        let returned = self
            .ejector
            .returned(seen.number)
            .map_or(1.0, |at| curve.share(now.saturating_duration_since(at)));
        let is_spared = self.ejector.is_spared(seen.number, now);
        let success = seen.endpoint.stats().success();
        young.min(returned)
            * chart
                .condition
                .part(now, success, is_spared, seen.said == Said::Unknown)
    }

    /// True if weights may be out of date because there were no calls for a while.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.looked
            .is_some_and(|at| now.saturating_duration_since(at) > 2 * Self::PERIOD)
    }

    /// The connection to an endpoint was lost.
    pub(crate) fn lose(&mut self, number: u64, now: Instant) {
        if let Some(chart) = self.charts.get_mut(number) {
            chart.condition.lose(now);
            chart.was_away = true;
        }
    }

    /// True if one is ejected.
    pub(crate) fn has_ejected(&self) -> bool {
        self.ejector.has_ejected()
    }

    /// Why an endpoint is sick, if it is.
    pub(crate) fn sickness(&self, number: u64) -> Option<Sickness> {
        self.ejector.ejection(number).copied().map(Sickness::Ejected)
    }
}

impl Chart {
    fn new(
        started_at: Option<SystemTime>,
        is_first: bool,
        now: Instant,
        wall: &mut Option<SystemTime>,
    ) -> Self {
        let age = match started_at {
            Some(started_at) => slow_start::age(started_at, *wall.get_or_insert_with(SystemTime::now)),
            None if is_first => Duration::MAX,
            None => Duration::ZERO,
        };
        Self {
            started_at,
            age,
            at: now,
            condition: Condition::default(),
            was_away: false,
            failures: 0,
            round: 0,
        }
    }

    /// A process may start anew under its old name and address.
    fn learn(&mut self, started_at: Option<SystemTime>, now: Instant, wall: &mut Option<SystemTime>) {
        if self.started_at == started_at {
            return;
        }
        self.started_at = started_at;
        if let Some(started_at) = started_at {
            self.age = slow_start::age(started_at, *wall.get_or_insert_with(SystemTime::now));
            self.at = now;
        }
    }

    /// Once it is back, all that failed since it was back before counts as one failure: many calls may have been under way when it
    /// went. One that goes time after time is still found out.
    fn meet(&mut self, stats: &Stats, is_away: bool) {
        let failures = stats.consecutive_failures() as u16;
        self.failures = self.failures.min(failures);
        if self.was_away && !is_away {
            self.failures = failures.min(self.failures.saturating_add(1));
            stats.keep_consecutive(self.failures);
        }
        self.was_away = is_away;
    }

    fn age(&self, now: Instant) -> Duration {
        self.age.saturating_add(now.saturating_duration_since(self.at))
    }
}

fn sample(seen: Seen<'_>, class: u64) -> Sample {
    let stats = seen.endpoint.stats();
    let (successes, failures) = stats.take_counts();
    let (timed, spent) = stats.take_timed();
    Sample {
        successes,
        failures,
        consecutive: stats.consecutive_failures(),
        timed,
        spent,
        is_away: seen.is_away,
        class,
    }
}

/// Says what was decided, and makes the counts of those concerned begin anew.
fn note<'e>(decisions: &[Decision], seen: impl Iterator<Item = Seen<'e>>) -> Found {
    if decisions.is_empty() {
        return Found::Nothing;
    }
    for seen in seen {
        let of_this = decisions.iter().filter(|decision| decision.key == seen.number);
        for decision in of_this {
            let endpoint = seen.endpoint;
            match decision.what {
                What::Ejected(Ejection { reason, times, .. }) => {
                    tracing::warn!(?endpoint, %reason, times, "ejected");
                }
                What::Returned => tracing::info!(?endpoint, "back from its ejection"),
                What::Spared(reason) => {
                    tracing::warn!(?endpoint, %reason, "would be ejected, but too many are");
                }
                What::StillSpared => {}
            }
            // It needs as many failures again.
            endpoint.stats().keep_consecutive(0);
        }
    }
    let found = decisions.iter().map(|decision| match decision.what {
        What::Ejected(_) | What::Returned => Found::Sick,
        What::Spared(_) => Found::Spared,
        What::StillSpared => Found::Nothing,
    });
    found.max().unwrap_or(Found::Nothing)
}
