//! What happens on a connection by itself: pings, age, idleness, buffers that go back. One timer for all.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::client::ClientConfig;

/// How long nothing must have come before buffers are given back. Sooner would be between the calls of a busy client.
const QUIET: Duration = Duration::from_secs(10);

/// Pings that come more often than this are no help to anybody.
const LEAST_INTERVAL: Duration = Duration::from_secs(10);

/// When a task has to look again although nothing happened.
#[derive(Debug)]
pub(super) struct Timers {
    sleep: Option<Pin<Box<Sleep>>>,
    age: Option<Instant>,
    idle: Option<Idle>,
    keepalive: Option<Keepalive>,
    quiet: Option<Instant>,
    quiet_reads: u64,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// The connection is old.
    Old,
    /// It had no call for long.
    Idle,
    /// A ping is to be sent.
    Ping,
    /// The peer has not been heard of since the ping.
    Dead,
    /// Buffers may go back.
    Trim,
}

#[derive(Debug)]
struct Idle {
    half: Duration,
    check: Instant,
    /// How many requests there had been at the last look, and how often in a row that was so.
    quiet: (u64, u32),
}

#[derive(Debug)]
struct Keepalive {
    interval: Duration,
    timeout: Duration,
    at: Instant,
    reads: u64,
    asked: bool,
}

/// What the timers go by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activity {
    pub(super) calls: u32,
    pub(super) requests: u64,
    pub(super) reads: u64,
}

impl Timers {
    pub(super) fn new(config: &ClientConfig) -> Self {
        let now = Instant::now();
        let age = config
            .max_connection_age
            .map(|age| now + age.min(FAR).mul_f64(0.9 + 0.2 * fastrand::f64()));
        let idle = config.idle_timeout.map(|timeout| {
            let half = (timeout.min(FAR) / 2).max(Duration::from_millis(1));
            Idle {
                half,
                check: now + half,
                quiet: (0, 0),
            }
        });
        let keepalive = config.keepalive_interval.map(|interval| {
            let interval = interval.clamp(LEAST_INTERVAL, FAR);
            Keepalive {
                interval,
                timeout: config.keepalive_timeout.min(FAR),
                at: now + interval,
                reads: 0,
                asked: false,
            }
        });
        Self {
            sleep: None,
            age,
            idle,
            keepalive,
            quiet: None,
            quiet_reads: 0,
        }
    }

    /// Says how often bytes came in; true if the timer has to be looked at for that.
    pub(super) fn heard(&mut self, reads: u64) -> bool {
        if self.quiet.is_some() || reads == self.quiet_reads {
            return false;
        }
        self.quiet_reads = reads;
        self.quiet = Some(Instant::now() + QUIET);
        true
    }

    /// What is due next, once it is. To be polled again until it is pending.
    pub(super) fn poll(&mut self, cx: &mut Poller<'_>, activity: Activity) -> Poll<Due> {
        loop {
            let now = Instant::now();
            if let Some(due) = self.take_due(now, activity) {
                return Poll::Ready(due);
            }
            let next = [
                self.age,
                self.idle.as_ref().map(|idle| idle.check),
                self.keepalive.as_ref().map(|keepalive| keepalive.at),
                self.quiet,
            ]
            .into_iter()
            .flatten()
            .min();
            let Some(next) = next else { return Poll::Pending };
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
            if sleep.deadline() != next {
                sleep.as_mut().reset(next);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn take_due(&mut self, now: Instant, activity: Activity) -> Option<Due> {
        if self.age.is_some_and(|age| age <= now) {
            self.age = None;
            return Some(Due::Old);
        }
        if self.quiet.is_some_and(|quiet| quiet <= now) {
            self.quiet = None;
            if self.quiet_reads == activity.reads {
                return Some(Due::Trim);
            }
            self.heard(activity.reads);
        }
        if self.idle.as_mut().is_some_and(|idle| idle.is_due(now, activity)) {
            self.idle = None;
            return Some(Due::Idle);
        }
        self.keepalive.as_mut()?.take_due(now, activity)
    }
}

impl Idle {
    fn is_due(&mut self, now: Instant, activity: Activity) -> bool {
        if now < self.check {
            return false;
        }
        self.check = now + self.half;
        let quiet = activity.calls == 0 && self.quiet.0 == activity.requests;
        self.quiet = (activity.requests, if quiet { self.quiet.1 + 1 } else { 0 });
        self.quiet.1 >= 2
    }
}

impl Keepalive {
    fn take_due(&mut self, now: Instant, activity: Activity) -> Option<Due> {
        if now < self.at {
            return None;
        }
        let heard = self.reads != activity.reads;
        self.reads = activity.reads;
        if self.asked && !heard {
            return Some(Due::Dead);
        }
        // Nobody minds a dead connection without calls; the next call will find out.
        self.asked = !heard && activity.calls > 0;
        self.at = now + if self.asked { self.timeout } else { self.interval };
        self.asked.then_some(Due::Ping)
    }
}

/// Longer than any connection lives, and little enough that no addition overflows.
const FAR: Duration = Duration::from_hours(100 * 365 * 24);
