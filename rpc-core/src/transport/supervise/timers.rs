//! What happens on a connection by itself: pings, age, idleness, buffers that go back. One timer for all, and none where
//! nothing is set.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::{Keepalive, LinkConfig};
use crate::transport::lifetime::FAR;

/// How long nothing must have come before buffers are given back. Sooner would be between the calls of a busy client.
const QUIET: Duration = Duration::from_secs(1);

/// When the task of a connection has to look again although nothing happened.
#[derive(Debug)]
pub struct Timers {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When the connection has to be replaced; `None` once it was, or never.
    age: Option<Instant>,
    idle: Option<Idle>,
    keepalive: Option<Liveness>,
    trim: Option<Instant>,
    trim_reads: u64,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// The connection is old: it is [`Phase::Retiring`](super::Phase::Retiring) now.
    Old,
    /// It had no call for long, and [is quiet](super::Life::note_quiet).
    Idle,
    /// A ping is to be sent.
    Ping,
    /// The peer has not been heard of since the ping.
    Dead,
    /// Nothing has come for a while: buffers may go back. Only for who says what is [heard](Timers::heard).
    Trim,
}

/// What the timers go by.
#[derive(Debug, Clone, Copy)]
pub struct Activity {
    /// How many calls there are.
    pub calls: usize,
    /// How many calls were begun so far.
    pub begun: u64,
    /// How often bytes came in.
    pub reads: u64,
}

#[derive(Debug)]
struct Idle {
    /// Half of the bound. Checking at this pace is cheaper than noting the end of each call.
    half: Duration,
    check: Instant,
    /// How many calls had been begun at the last check, and how often in a row that was so, if none was under way.
    quiet_since: Option<(u64, u32)>,
}

#[derive(Debug)]
struct Liveness {
    interval: Duration,
    timeout: Duration,
    without_calls: bool,
    /// When something was last heard; for who is polled rarely, or when it was last seen that nothing was to be heard.
    heard: Instant,
    reads: u64,
    /// How many calls had been begun by then.
    begun: u64,
    /// Somebody waits for an answer.
    is_awaited: bool,
    pinged: Option<Instant>,
    /// Calls begin without anybody looking at the timers.
    polled_rarely: bool,
}

impl Timers {
    /// Of a connection that begins now, to a server that has complained of so many pings.
    pub fn new(config: &LinkConfig, complaints: u32) -> Self {
        let now = Instant::now();
        // Connections that were made together do not end together.
        let age = config
            .max_connection_age
            .map(|age| now + age.min(FAR).mul_f64(0.9 + 0.2 * fastrand::f64()));
        let idle = config.idle_timeout.map(|timeout| {
            let half = (timeout.min(FAR) / 2).max(Duration::from_millis(1));
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
            trim: None,
            trim_reads: 0,
        }
    }

    /// For who polls them when they are due, and not whenever a call begins or bytes come in: the timer for pings then runs
    /// without calls as well, and a ping may be late by its interval.
    pub fn polled_rarely(mut self) -> Self {
        if let Some(liveness) = &mut self.keepalive {
            liveness.polled_rarely = true;
        }
        self
    }

    /// Says how often bytes came in; true if the timers have to be polled for that.
    pub fn heard(&mut self, reads: u64) -> bool {
        if self.trim.is_some() || reads == self.trim_reads {
            return false;
        }
        self.trim_reads = reads;
        self.trim = Some(Instant::now() + QUIET);
        true
    }

    /// What is due next, once it is. To be polled again until it is pending.
    pub fn poll(&mut self, cx: &mut Context<'_>, activity: Activity) -> Poll<Due> {
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
        [self.age, idle, ping, self.trim].into_iter().flatten().min()
    }

    fn take_due(&mut self, now: Instant, activity: Activity) -> Option<Due> {
        if self.age.is_some_and(|age| age <= now) {
            self.age = None;
            return Some(Due::Old);
        }
        if self.trim.is_some_and(|trim| trim <= now) {
            self.trim = None;
            if self.trim_reads == activity.reads {
                return Some(Due::Trim);
            }
            self.heard(activity.reads);
        }
        if self.idle.as_mut().is_some_and(|idle| idle.check(now, activity)) {
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
            Some((begun, times)) if activity.calls == 0 && begun == activity.begun => times + 1,
            _ => 1,
        };
        self.quiet_since = (activity.calls == 0).then_some((activity.begun, times));
        activity.calls == 0 && times > 2
    }
}

impl Liveness {
    fn new(config: &Keepalive, complaints: u32, now: Instant) -> Option<Self> {
        let (interval, timeout) = (config.interval_after(complaints)?, config.timeout);
        Some(Self {
            interval: interval.min(FAR),
            timeout: timeout.min(FAR),
            without_calls: config.without_calls,
            heard: now,
            reads: 0,
            begun: 0,
            is_awaited: false,
            pinged: None,
            polled_rarely: false,
        })
    }

    /// That calls begin says nothing of the peer: a dead one is found even if no call waits for as long as the interval. A
    /// call that begins after longer than that asks at once.
    fn note(&mut self, activity: Activity) {
        if activity.reads != self.reads {
            self.reads = activity.reads;
            self.begun = activity.begun;
            self.heard = Instant::now();
            self.pinged = None;
        }
        // Who is polled rarely does not see a call that is over between two looks.
        let began = self.polled_rarely && activity.begun != self.begun;
        self.is_awaited = activity.calls > 0 || began;
    }

    fn next(&self) -> Option<Instant> {
        match self.pinged {
            Some(at) => Some(at + self.timeout),
            None if self.is_awaited || self.without_calls || self.polled_rarely => {
                Some(self.heard + self.interval)
            }
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
        if !self.is_awaited && !self.without_calls {
            // Nobody minds a dead connection without calls; the next call will find out.
            self.heard = now;
            return None;
        }
        self.pinged = Some(now);
        Some(Due::Ping)
    }
}
