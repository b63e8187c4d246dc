//! What happens on a connection by itself: pings, age, idleness. One timer for all, and none where nothing is set.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::client::{ClientConfig, Keepalive};

/// When a driver has to look again although nothing happened.
pub(super) struct Timers {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When a connection has to be replaced; `None` once it was, or never.
    age: Option<Instant>,
    idle: Option<Idle>,
    keepalive: Option<Liveness>,
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
}

struct Idle {
    /// Half of the bound. Checking at this pace is cheaper than noting the end of each call.
    half: Duration,
    check: Instant,
    /// How many streams had been opened at the last check, and how often in a row that was so, if none was open.
    quiet_since: Option<(u32, u32)>,
}

struct Liveness {
    interval: Duration,
    timeout: Duration,
    without_calls: bool,
    /// When something was last heard, or calls began.
    heard: Instant,
    reads: u64,
    had_calls: bool,
    pinged: Option<Instant>,
}

/// What the timers go by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activity {
    /// How many calls there are.
    pub(super) calls: usize,
    /// How many streams were opened so far.
    pub(super) opened: u32,
    /// How often bytes came in.
    pub(super) reads: u64,
}

impl Timers {
    pub(super) fn new(config: &ClientConfig, complaints: u32) -> Self {
        let now = Instant::now();
        let age = config
            .max_connection_age
            .map(|age| now + age.mul_f64(0.9 + 0.2 * fastrand::f64()));
        let idle = config.idle_timeout.map(|timeout| {
            let half = (timeout / 2).max(Duration::from_millis(1));
            Idle {
                half,
                check: now + half,
                quiet_since: None,
            }
        });
        Self {
            sleep: None,
            age,
            idle,
            keepalive: Liveness::new(&config.keepalive, complaints, now),
        }
    }

    /// What is due next, once it is. To be polled again until it is pending.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, activity: Activity) -> Poll<Due> {
        loop {
            if let Some(liveness) = &mut self.keepalive {
                liveness.note(activity);
            }
            let Some(next) = self.next() else {
                return Poll::Pending;
            };
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(next)));
            // Moving it for every small delay would take the timer's lock each time; it may fire early, to find nothing due.
            if sleep.deadline() > next || sleep.is_elapsed() {
                sleep.as_mut().reset(next);
            }
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if let Some(due) = self.take_due(Instant::now(), activity) {
                return Poll::Ready(due);
            }
        }
    }

    fn next(&self) -> Option<Instant> {
        let idle = self.idle.as_ref().map(|idle| idle.check);
        let ping = self.keepalive.as_ref().and_then(Liveness::next);
        [self.age, idle, ping].into_iter().flatten().min()
    }

    fn take_due(&mut self, now: Instant, activity: Activity) -> Option<Due> {
        if self.age.is_some_and(|age| age <= now) {
            self.age = None;
            return Some(Due::Old);
        }
        if self.idle.as_mut().is_some_and(|idle| idle.check(now, activity)) {
            self.idle = None;
            return Some(Due::Idle);
        }
        self.keepalive.as_mut()?.check(now)
    }
}

impl Idle {
    fn check(&mut self, now: Instant, activity: Activity) -> bool {
        if now < self.check {
            return false;
        }
        self.check = now + self.half;
        let times = match self.quiet_since {
            Some((opened, times)) if activity.calls == 0 && opened == activity.opened => times + 1,
            _ => 1,
        };
        self.quiet_since = (activity.calls == 0).then_some((activity.opened, times));
        activity.calls == 0 && times > 2
    }
}

impl Liveness {
    fn new(config: &Keepalive, complaints: u32, now: Instant) -> Option<Self> {
        let (interval, timeout) = (config.interval_after(complaints)?, config.timeout);
        let without_calls = config.without_calls;
        Some(Self {
            interval,
            timeout,
            without_calls,
            heard: now,
            reads: 0,
            had_calls: false,
            pinged: None,
        })
    }

    fn note(&mut self, activity: Activity) {
        let has_calls = activity.calls > 0;
        let begins = has_calls && !self.had_calls && !self.without_calls;
        self.had_calls = has_calls;
        if activity.reads != self.reads || begins {
            self.reads = activity.reads;
            self.heard = Instant::now();
            self.pinged = None;
        }
    }

    fn next(&self) -> Option<Instant> {
        match self.pinged {
            Some(at) => Some(at + self.timeout),
            None if self.had_calls || self.without_calls => Some(self.heard + self.interval),
            None => None,
        }
    }

    fn check(&mut self, now: Instant) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        if self.pinged.is_some() {
            return Some(Due::Dead);
        }
        self.pinged = Some(now);
        Some(Due::Ping)
    }
}
