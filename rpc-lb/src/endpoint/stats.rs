//! What was learnt about an endpoint: counts, and estimates.
//!
//! Plain atomics, written by the calls that end there, read by whoever picks. Nothing here is exact under contention
//! but the counts: two samples at the same instant may lose one of them, which an estimate can bear and a lock on the way
//! of every call could not.
//!
//! # What of it costs a call
//! What a picker compares stands in one cache line: with thousands of endpoints, looking at one is a miss, and two
//! candidates are two. What is learnt and seldom read is in the line after it.
//!
//! # An endpoint without a history
//! has no latency yet. [`Stats::peers_latency`] says what its peers take; balancers that compare latencies take that for
//! its own. Nothing, and it would get all calls until its first answer; a lot, and it would get none.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use rpc_core::status::Verdict;
use tokio::time::Instant;

use super::{
    Done, Recent, Reported,
    estimate::{Estimate, TICK},
    report::Report,
    window::Window,
};

/// What was learnt about an endpoint.
#[derive(Debug)]
#[repr(align(128))]
pub struct Stats {
    hot: Hot,
    /// EWMA of successes, in parts of `WHOLE`.
    success: AtomicU16,
    /// The same for balancers. Unlike `failing` it does not fade: calls that are seconds apart tell as much.
    well: AtomicU16,
    /// Failures one after the other. It stays where it is full.
    consecutive: AtomicU16,
    /// Since the last sweep.
    successes: AtomicU32,
    failures: AtomicU32,
    /// Made where somebody wants to know.
    window: OnceLock<Box<Window>>,
    report: Report,
}

/// What pickers read.
#[derive(Debug)]
#[repr(align(64))]
struct Hot {
    first_seen: Instant,
    in_flight: AtomicU32,
    /// f32.
    weight: AtomicU32,
    /// Peak EWMA of the latency in nanoseconds.
    latency: Estimate,
    /// The share of failures; fades, so that one that failed is tried again.
    failing: Estimate,
    /// What its peers take: nanoseconds, f32. 0: not known.
    peers: AtomicU32,
    /// The tick after the one at which the call was sent that ended last. 0: none yet.
    picked: AtomicU32,
    /// What its balancer makes of all that is learnt, f32. 0: nothing yet.
    rating: AtomicU32,
    /// Here for the room that there is. Of the calls since the last sweep that succeeded and whose time was taken: what they
    /// took together, in `SPENT_UNIT`s, above the `TIMED_BITS` of how many they were.
    timed: AtomicU64,
}

const _: () = assert!(size_of::<Hot>() == 64, "a miss per candidate");
const _: () = assert!(size_of::<Stats>() == 128, "there may be ten thousand");

/// All of them, as a share.
const WHOLE: f32 = u16::MAX as f32;
/// In microseconds. Six days of calls fit between two sweeps, which are about a second apart.
const SPENT_UNIT: u64 = 8;
/// 268 million calls.
const TIMED_BITS: u32 = 28;
/// The share of the newest outcome in the estimate of successes.
const SUCCESS_SHARE: f32 = 0.05;
/// From which part of its calls on one that fails is held to be as slow as its peers.
const MOSTLY: f32 = 0.5;

impl Stats {
    pub(super) fn new(now: Instant, weight: u32) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a weight, not a count")]
        let weight = AtomicU32::new((weight as f32).to_bits());
        Self {
            hot: Hot {
                first_seen: now,
                in_flight: AtomicU32::new(0),
                weight,
                latency: Estimate::default(),
                failing: Estimate::default(),
                peers: AtomicU32::new(0),
                picked: AtomicU32::new(0),
                rating: AtomicU32::new(0),
                timed: AtomicU64::new(0),
            },
            success: AtomicU16::new(u16::MAX),
            well: AtomicU16::new(u16::MAX),
            consecutive: AtomicU16::new(0),
            successes: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            window: OnceLock::new(),
            report: Report::default(),
        }
    }

    /// When this client first saw it.
    pub fn first_seen(&self) -> Instant {
        self.hot.first_seen
    }

    /// For how long this client has known it.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.hot.first_seen)
    }

    /// Calls under way there, of this client.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.hot.in_flight.load(Ordering::Relaxed)
    }

    /// See [`Endpoint::weight`](super::Endpoint::weight).
    #[inline]
    pub fn weight(&self) -> f32 {
        f32::from_bits(self.hot.weight.load(Ordering::Relaxed))
    }

    /// Sets it. What is no share, negative or not finite, counts as 0.
    pub fn set_weight(&self, weight: f32) {
        let weight = if weight.is_finite() { weight.max(0.0) } else { 0.0 };
        self.hot.weight.store(weight.to_bits(), Ordering::Relaxed);
    }

    /// The share of calls that ended well, lately: 0 to 1. It changes with calls alone.
    #[inline]
    pub fn success(&self) -> f32 {
        share(&self.success)
    }

    /// The same for balancers, to whom what is doubtful and what was refused for lack of capacity did not end well either.
    /// Failures are forgotten with time, whether there are calls or not, since an endpoint that gets none could not show
    /// that it is well again.
    #[inline]
    pub fn reliability(&self, now: Instant) -> f32 {
        if self.hot.failing.last() == 0.0 {
            return 1.0;
        }
        1.0 - self.hot.failing.at(self.tick(now)).unwrap_or(0.0)
    }

    /// Failures one after the other.
    pub fn consecutive_failures(&self) -> u32 {
        u32::from(self.consecutive.load(Ordering::Relaxed))
    }

    /// The latency estimate in nanoseconds, a peak EWMA with a time constant of ten seconds; `None` before the first answer.
    #[inline]
    pub fn latency(&self, now: Instant) -> Option<f32> {
        self.hot.latency.at(self.tick(now))
    }

    /// The same, and what it was when it was learnt.
    #[inline]
    pub(crate) fn latency_and_last(&self, now: Instant) -> Option<(f32, f32)> {
        self.hot.latency.at_and_last(self.tick(now))
    }

    /// What the endpoints beside it take, in nanoseconds: those of the list that was compared last. `None` if none was yet.
    #[inline]
    pub fn peers_latency(&self) -> Option<f32> {
        let peers = f32::from_bits(self.hot.peers.load(Ordering::Relaxed));
        (peers > 0.0).then_some(peers)
    }

    /// Sets what the endpoints beside it take: their median, as balancers work it out about once a second.
    pub fn set_peers_latency(&self, nanos: f32) {
        if nanos.is_finite() && nanos >= 0.0 {
            self.hot.peers.store(nanos.to_bits(), Ordering::Relaxed);
        }
    }

    /// What the balancer made of all that was learnt when it was last [refreshed](crate::Picker::refresh), in a unit of its
    /// own and beside whichever endpoints: those of the list that was refreshed last. `None` before that.
    #[inline]
    pub fn rating(&self) -> Option<f32> {
        let rating = f32::from_bits(self.hot.rating.load(Ordering::Relaxed));
        (rating > 0.0).then_some(rating)
    }

    /// Sets it. Above 0; anything else takes it away.
    pub fn set_rating(&self, rating: f32) {
        let rating = if rating.is_finite() { rating.max(0.0) } else { 0.0 };
        self.hot.rating.store(rating.to_bits(), Ordering::Relaxed);
    }

    /// How long ago the call was sent there that has ended last and whose time was taken; `None` if there was none. Wraps after
    /// three days.
    pub fn since_picked(&self, now: Instant) -> Option<Duration> {
        let picked = self.hot.picked.load(Ordering::Relaxed).checked_sub(1)?;
        let ticks = self.tick(now).wrapping_sub(picked);
        Some(Duration::from_nanos(u64::from(ticks) << TICK))
    }

    /// Counts latencies and errors by time from now on, so that [`recent`](Self::recent) knows something. Balancers do that
    /// for the endpoints that they are to pick from.
    pub fn watch(&self) {
        self.window.get_or_init(|| Box::new(Window::new()));
    }

    /// What the calls of the last seconds were like; nothing but zeros where nobody [watches](Self::watch).
    pub fn recent(&self, now: Instant) -> Recent {
        self.window
            .get()
            .map_or_else(Recent::default, |window| window.recent(self.age(now)))
    }

    /// What the endpoint said of its load last, and how long ago.
    pub fn reported(&self, now: Instant) -> Option<(Reported, Duration)> {
        self.report.load(self.hot.first_seen, now)
    }

    /// The endpoint has said what its load is. Numbers that are no load count as not reported.
    pub fn set_reported(&self, reported: impl Into<Reported>, now: Instant) {
        self.report.store(reported.into(), self.age(now));
    }

    /// Takes the counts of successes and failures since this was asked last.
    pub fn take_counts(&self) -> (u32, u32) {
        let take = |count: &AtomicU32| count.swap(0, Ordering::Relaxed);
        (take(&self.successes), take(&self.failures))
    }

    /// Takes how many calls have succeeded since this was asked last, and what they took together. Streams do not count, nor
    /// do calls that nobody timed.
    pub fn take_timed(&self) -> (u32, Duration) {
        let timed = self.hot.timed.swap(0, Ordering::Relaxed);
        let (calls, spent) = (timed & ((1 << TIMED_BITS) - 1), timed >> TIMED_BITS);
        (calls as u32, Duration::from_micros(spent * SPENT_UNIT))
    }

    /// Goes on counting failures one after the other from there, if they are more.
    pub(crate) fn keep_consecutive(&self, at_most: u16) {
        self.consecutive.fetch_min(at_most, Ordering::Relaxed);
    }

    /// The head of a stream is there: that is its latency.
    #[inline]
    pub(super) fn head(&self, latency: Duration, now: Instant) {
        self.learn(Verdict::Healthy, latency, now);
    }

    /// A call was answered whose time says nothing of the endpoint.
    pub(super) fn answered_untimed(&self, now: Instant) {
        if let Some(window) = self.window.get() {
            window.answered_untimed(self.age(now));
        }
    }

    #[inline]
    pub(crate) fn begin(&self) {
        self.hot.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how many failures there were one after the other, this one included; 0 if it is none.
    #[inline]
    pub(super) fn end(&self, done: &Done) -> u32 {
        let mut failed = 0;
        self.hot.in_flight.fetch_sub(1, Ordering::Relaxed);
        match done.verdict {
            Verdict::Healthy => {
                self.successes.fetch_add(1, Ordering::Relaxed);
                if self.consecutive.load(Ordering::Relaxed) != 0 {
                    self.consecutive.store(0, Ordering::Relaxed);
                }
                if let Some(latency) = done.latency {
                    let spent = latency.as_micros() as u64 / SPENT_UNIT;
                    self.hot
                        .timed
                        .fetch_add((spent << TIMED_BITS) + 1, Ordering::Relaxed);
                }
                tend(&self.success, 1.0);
                self.rely(1.0, done.now);
            }
            Verdict::Failed => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                if self.consecutive.load(Ordering::Relaxed) < u16::MAX / 2 {
                    failed = u32::from(self.consecutive.fetch_add(1, Ordering::Relaxed)) + 1;
                }
                tend(&self.success, 0.0);
                self.rely(0.0, done.now);
            }
            Verdict::Doubtful => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.rely(0.0, done.now);
            }
            Verdict::Overloaded => self.rely(0.0, done.now),
            _ => {}
        }
        match (done.latency, done.now) {
            (Some(latency), Some(now)) => self.learn(done.verdict, latency, now),
            // A stream, of which the head was learnt.
            (None, Some(now)) if is_failure(done.verdict) => self.fail_lately(now),
            _ => {}
        }
        failed
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    fn learn(&self, verdict: Verdict, latency: Duration, now: Instant) {
        let tick = self.tick(now);
        let nanos = nanos(latency);
        let sample = (nanos as f32).max(1.0);
        // Once a call, and where its line is at hand anyway.
        let picked = tick.wrapping_sub((nanos >> TICK) as u32);
        self.hot.picked.store(picked.saturating_add(1), Ordering::Relaxed);
        match verdict {
            Verdict::Healthy => self.hot.latency.peak(sample, tick),
            // One that fails fast is not fast: a failure never makes it look better than it did when it was called last. Nor
            // than its peers, if it does little else: where a few calls fail everywhere, all would be as slow as their median
            // was, for ever.
            _ if is_failure(verdict) => {
                let known = self.hot.latency.last();
                let fails_mostly = 1.0 - share(&self.well) > MOSTLY;
                let compares = known == 0.0 || fails_mostly;
                let peers = self.peers_latency().filter(|_| compares);
                let floor = known.max(peers.unwrap_or(0.0));
                self.hot.latency.peak(sample.max(floor), tick);
            }
            _ => return,
        }
        if verdict != Verdict::Healthy {
            self.fail_lately(now);
        } else if let Some(window) = self.window.get() {
            window.answered(self.age(now), latency);
        }
    }

    fn fail_lately(&self, now: Instant) {
        if let Some(window) = self.window.get() {
            window.failed(self.age(now));
        }
    }

    /// Learns of reliability.
    fn rely(&self, to: f32, now: Option<Instant>) {
        tend(&self.well, to);
        let failing = &self.hot.failing;
        if let Some(now) = now
            && (to < 1.0 || failing.last() > 0.0)
        {
            let tick = self.tick(now);
            let reliability = toward(1.0 - failing.at(tick).unwrap_or(0.0), to);
            failing.set(1.0 - reliability, tick);
        }
    }

    /// Ticks since it was first seen. They wrap after three days, and are compared by difference.
    #[inline]
    fn tick(&self, now: Instant) -> u32 {
        let age = now.saturating_duration_since(self.hot.first_seen);
        (nanos(age) >> TICK) as u32
    }
}

/// True if it counts as a failure where balancers compare.
fn is_failure(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Failed | Verdict::Doubtful | Verdict::Overloaded)
}

/// A share in parts of `WHOLE`.
#[inline]
fn share(parts: &AtomicU16) -> f32 {
    f32::from(parts.load(Ordering::Relaxed)) / WHOLE
}

/// The same learns of one more outcome.
fn tend(parts: &AtomicU16, to: f32) {
    let was = share(parts);
    if was.to_bits() != to.to_bits() {
        #[allow(clippy::cast_sign_loss, reason = "a share")]
        let is = (toward(was, to) * WHOLE).round() as u16;
        parts.store(is, Ordering::Relaxed);
    }
}

/// A share after one more outcome.
fn toward(was: f32, to: f32) -> f32 {
    let is = was + SUCCESS_SHARE * (to - was);
    // Close to the end of the scale it would never arrive.
    if (is - to).abs() < 1e-3 { to } else { is }
}

/// Cheaper than `as_nanos`, and right for five hundred years.
#[inline]
fn nanos(duration: Duration) -> u64 {
    duration
        .as_secs()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(u64::from(duration.subsec_nanos()))
}
