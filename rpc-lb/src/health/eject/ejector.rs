//! Who is ejected, since when and until when.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    Decision, EjectConfig, EjectReason, Ejection, Sample, What,
    outlier::{self, Outcome, Timed},
};
use crate::numbered::Numbered;

/// Decides who is ejected. See the [module](super).
#[derive(Debug)]
pub struct Ejector {
    config: EjectConfig,
    random: fastrand::Rng,
    hosts: Numbered<Host>,
    /// Those included that cannot be called.
    ejected: usize,
    swept: Option<Instant>,
    window: Option<Instant>,
    round: u64,
}

#[derive(Debug, Default)]
struct Host {
    /// Since the last comparison of success rates.
    successes: u64,
    failures: u64,
    /// In this window of latencies.
    timed: u32,
    spent: Duration,
    /// Of the classes that it had since the last comparison of success rates, and in this window of latencies.
    rates_class: u64,
    latency_class: u64,
    /// Windows one after the other in which it was too slow.
    slow: u32,
    /// How often in a row it was ejected.
    times: u32,
    ejection: Option<Ejection>,
    returned: Option<Instant>,
    spared_until: Option<Instant>,
    /// It cannot be called.
    is_away: bool,
    /// The last round that knew it.
    round: u64,
}

impl Ejector {
    /// Nobody is ejected yet. The seed is that of the jitter.
    pub fn new(config: EjectConfig, seed: u64) -> Self {
        Self {
            config,
            random: fastrand::Rng::with_seed(seed),
            hosts: Numbered::new(),
            ejected: 0,
            swept: None,
            window: None,
            round: 0,
        }
    }

    /// Takes in what all endpoints did since the last sweep, and decides. Whoever is not among them is forgotten.
    ///
    /// It may be called at any time: what is compared at intervals is compared when it is due.
    pub fn sweep(&mut self, now: Instant, samples: impl IntoIterator<Item = (u64, Sample)>) -> Vec<Decision> {
        let mut decisions = Vec::new();
        self.round += 1;
        let mut failing = Vec::new();
        for (key, sample) in samples {
            let host = self.hosts.get_or_insert_with(key, Host::default);
            host.round = self.round;
            host.is_away = sample.is_away;
            host.enter(sample.class);
            // What ends after the ejection began before it.
            if host.ejection.is_none() {
                host.take_in(&sample);
                if self.config.consecutive > 0 && sample.consecutive >= self.config.consecutive {
                    failing.push((key, EjectReason::ConsecutiveFailures(sample.consecutive)));
                }
            }
        }
        self.forget_the_others();

        self.let_return(now, &mut decisions);
        self.trim(now, &mut decisions);
        if !self.config.enabled {
            return decisions;
        }
        failing.sort_by_key(|(_, reason)| match reason {
            EjectReason::ConsecutiveFailures(count) => std::cmp::Reverse(*count),
            _ => std::cmp::Reverse(0),
        });
        self.eject(failing, now, &mut decisions);
        if is_due(&mut self.swept, self.config.sweep, now) {
            self.compare_rates(now, &mut decisions);
        }
        if is_due(&mut self.window, self.config.latency.window, now) {
            self.compare_latencies(now, &mut decisions);
        }
        decisions
    }

    /// Lets those return that are too many among these endpoints, the ones first that would return first. Whoever is not
    /// among them is forgotten. Of each it is said whether it is [away](Sample::is_away).
    pub fn fit(&mut self, endpoints: impl IntoIterator<Item = (u64, bool)>, now: Instant) -> Vec<Decision> {
        let mut decisions = Vec::new();
        if self.ejected == 0 {
            return decisions;
        }
        self.round += 1;
        for (key, is_away) in endpoints {
            let host = self.hosts.get_or_insert_with(key, Host::default);
            host.round = self.round;
            host.is_away = is_away;
        }
        self.forget_the_others();
        self.trim(now, &mut decisions);
        decisions
    }

    /// Forgets those that this round does not know.
    fn forget_the_others(&mut self) {
        self.hosts.retain(|host| host.round == self.round);
        self.ejected = self.hosts.values().filter(|host| host.ejection.is_some()).count();
    }

    /// The ejection of an endpoint, if it is ejected.
    pub fn ejection(&self, key: u64) -> Option<&Ejection> {
        self.hosts.get(key)?.ejection.as_ref()
    }

    /// True if endpoints are compared with those of their class.
    pub(crate) fn compares(&self) -> bool {
        self.config.enabled && (self.config.success_rate.enabled || self.config.latency.enabled)
    }

    /// True if any is ejected.
    pub(crate) fn has_ejected(&self) -> bool {
        self.ejected > 0
    }

    /// When an endpoint came back from its last ejection.
    pub fn returned(&self, key: u64) -> Option<Instant> {
        self.hosts.get(key)?.returned
    }

    /// True if an endpoint would be ejected, were there room.
    pub fn is_spared(&self, key: u64, now: Instant) -> bool {
        let until = self.hosts.get(key).and_then(|host| host.spared_until);
        until.is_some_and(|until| now < until)
    }

    fn let_return(&mut self, now: Instant, decisions: &mut Vec<Decision>) {
        if self.ejected == 0 {
            return;
        }
        for (key, host) in self.hosts.iter_mut() {
            if host.ejection.is_some_and(|ejection| ejection.until <= now) {
                host.come_back(now);
                self.ejected -= 1;
                decisions.push(Decision {
                    key,
                    what: What::Returned,
                });
            }
        }
    }

    /// How many may be ejected, and how many are, of those that can be called.
    fn room(&self) -> (usize, usize) {
        let here = || self.hosts.values().filter(|host| !host.is_away);
        let cap = if self.config.enabled {
            self.config.cap(here().count())
        } else {
            0
        };
        (cap, here().filter(|host| host.ejection.is_some()).count())
    }

    fn trim(&mut self, now: Instant, decisions: &mut Vec<Decision>) {
        if self.ejected == 0 {
            return;
        }
        // By the list: one that is away for a moment brings nobody back.
        let cap = if self.config.enabled {
            self.config.cap(self.hosts.len())
        } else {
            0
        };
        let (_, ejected) = self.room();
        for _ in cap..ejected {
            self.return_one(now, decisions, |_| true);
        }
    }

    /// Lets the one return, of some, that would return first. True if there was one.
    fn return_one(
        &mut self,
        now: Instant,
        decisions: &mut Vec<Decision>,
        of: impl Fn(&Ejection) -> bool,
    ) -> bool {
        let ejected = self.hosts.iter_mut().filter_map(|(key, host)| {
            let ejection = host.ejection.filter(|ejection| !host.is_away && of(ejection))?;
            Some((ejection.until, key, host))
        });
        let Some((_, key, host)) = ejected.min_by_key(|(until, key, _)| (*until, *key)) else {
            return false;
        };
        host.come_back(now);
        self.ejected -= 1;
        decisions.push(Decision {
            key,
            what: What::Returned,
        });
        true
    }

    /// Ejects them in this order, as far as there is room.
    fn eject(&mut self, found: Vec<(u64, EjectReason)>, now: Instant, decisions: &mut Vec<Decision>) {
        if found.is_empty() {
            return;
        }
        let (cap, mut ejected) = self.room();
        for (key, reason) in found {
            let is_out = |host: &Host| host.is_away || host.ejection.is_some();
            if self.hosts.get(key).is_none_or(is_out) {
                continue;
            }
            // Late is better than never.
            if ejected >= cap
                && reason.is_failure()
                && self.return_one(now, decisions, |ejection| !ejection.reason.is_failure())
            {
                ejected -= 1;
            }
            let has_room = ejected < cap;
            let Some(host) = self.hosts.get_mut(key) else {
                continue;
            };
            let what = if has_room {
                host.times = host.times.saturating_add(1);
                let length = length(&self.config, host.times, &mut self.random);
                self.ejected += 1;
                ejected += 1;
                What::Ejected(host.leave(Ejection {
                    until: now + length,
                    reason,
                    times: host.times,
                }))
            } else if cap > 0 {
                let before = host.spared_until.replace(now + self.config.base);
                if before.is_some_and(|until| now < until) {
                    What::StillSpared
                } else {
                    What::Spared(reason)
                }
            } else {
                continue;
            };
            decisions.push(Decision { key, what });
        }
    }

    fn compare_rates(&mut self, now: Instant, decisions: &mut Vec<Decision>) {
        let outcomes: Vec<_> = self
            .hosts
            .iter_mut()
            .filter(|(_, host)| host.ejection.is_none())
            .map(|(key, host)| Outcome {
                key,
                class: host.rates_class,
                successes: std::mem::take(&mut host.successes),
                failures: std::mem::take(&mut host.failures),
            })
            .collect();
        for outcome in &outcomes {
            if let Some(host) = self.hosts.get_mut(outcome.key)
                && host.was_there_since(now, self.config.sweep)
            {
                host.times = host.times.saturating_sub(1);
            }
        }
        let found = outlier::by_success_rate(&self.config.success_rate, &outcomes);
        self.eject(found, now, decisions);
        let found = outlier::by_failure_percentage(&self.config.failure_percentage, &outcomes);
        self.eject(found, now, decisions);
        for (_, host) in self.hosts.iter_mut() {
            host.rates_class = 0;
        }
    }

    fn compare_latencies(&mut self, now: Instant, decisions: &mut Vec<Decision>) {
        let few = self.config.latency.min_calls.max(1);
        let timed: Vec<_> = self
            .hosts
            .iter_mut()
            // Those with too few calls gather more.
            .filter(|(_, host)| host.ejection.is_none() && host.timed >= few)
            .map(|(key, host)| Timed {
                key,
                class: host.latency_class,
                total: std::mem::take(&mut host.spent),
                calls: std::mem::take(&mut host.timed),
            })
            .collect();
        let mut found = outlier::by_latency(&self.config.latency, &timed);
        for Timed { key, .. } in &timed {
            if let Some(host) = self.hosts.get_mut(*key) {
                let is_slow = found.iter().any(|(slow, _)| slow == key);
                host.slow = if is_slow { host.slow.saturating_add(1) } else { 0 };
            }
        }
        let enough = self.config.latency.windows;
        found.retain(|(key, _)| self.hosts.get(*key).is_some_and(|host| host.slow >= enough));
        self.eject(found, now, decisions);
        for (_, host) in self.hosts.iter_mut() {
            host.latency_class = 0;
        }
    }
}

impl Host {
    /// Until the next comparison it is like those alone that have had the same classes since the last one: the routers forget which
    /// requests came whenever the list changes.
    fn enter(&mut self, class: u64) {
        for own in [&mut self.rates_class, &mut self.latency_class] {
            *own = own.rotate_left(5).wrapping_add(class);
        }
    }

    fn take_in(&mut self, sample: &Sample) {
        self.successes = self.successes.saturating_add(u64::from(sample.successes));
        self.failures = self.failures.saturating_add(u64::from(sample.failures));
        self.timed = self.timed.saturating_add(sample.timed);
        self.spent = self.spent.saturating_add(sample.spent);
    }

    fn leave(&mut self, ejection: Ejection) -> Ejection {
        *self = Self {
            times: self.times,
            round: self.round,
            ejection: Some(ejection),
            ..Self::default()
        };
        ejection
    }

    /// True if it was not ejected in the interval that ends now.
    fn was_there_since(&self, now: Instant, interval: Duration) -> bool {
        self.returned
            .is_none_or(|at| now.saturating_duration_since(at) >= interval)
    }

    fn come_back(&mut self, now: Instant) {
        self.ejection = None;
        self.returned = Some(now);
    }
}

/// `base` times how often in a row, at most `max`, less the jitter.
fn length(config: &EjectConfig, times: u32, random: &mut fastrand::Rng) -> Duration {
    let full = config.base.saturating_mul(times.max(1)).min(config.max);
    let jitter = config.jitter.clamp(0.0, 0.5) * random.f32();
    full.mul_f32(1.0 - jitter)
}

/// True once in each interval; the first time only begins one.
fn is_due(last: &mut Option<Instant>, interval: Duration, now: Instant) -> bool {
    match *last {
        Some(at) if now.saturating_duration_since(at) < interval => false,
        previous => {
            *last = Some(now);
            previous.is_some()
        }
    }
}
