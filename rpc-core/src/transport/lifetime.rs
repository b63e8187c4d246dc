//! How long a connection of a server lives: keepalive, idleness, age, and the steps of its end. Both transports go by it.
//!
//! Nothing in here acts. [`Lifetime::due`] says what is to be done at an instant, and [`Lifetime::next`] when to ask again.

use std::time::Duration;

use tokio::time::Instant;

/// How long the first word of going away may stay unanswered. After that new calls are refused although their caller may not
/// know of it yet.
const DRAIN_ANSWER: Duration = Duration::from_secs(5);

/// What bounds the life of a connection.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// After how long a time without a byte from the peer it is asked whether it is there; `None`: never.
    pub keepalive_interval: Option<Duration>,
    /// How long it may take to answer.
    pub keepalive_timeout: Duration,
    /// How long there may be no call before the peer is told to go; `None`: for ever.
    pub max_idle: Option<Duration>,
    /// How old it may get, give or take a tenth, before the peer is told to go; `None`: any age.
    pub max_age: Option<Duration>,
    /// How long calls may go on after that; `None`: as long as they like.
    pub max_age_grace: Option<Duration>,
    /// How long nothing must have come before buffers are given back.
    pub quiet: Duration,
}

/// What a connection has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Ask whether the peer is there.
    Ping,
    /// Give buffers back.
    Trim,
    /// Tell the peer to go elsewhere.
    Drain,
    /// Close it: the peer does not answer, or its calls took too long after they were told to end.
    Close(&'static str),
}

/// The clocks of a connection.
#[derive(Debug)]
pub struct Lifetime {
    keepalive: Option<Keepalive>,
    idle: Option<Duration>,
    /// Since when no call is under way.
    idle_since: Option<Instant>,
    drain_at: Option<Instant>,
    grace: Option<Duration>,
    close_at: Option<Instant>,
    draining_since: Option<Instant>,
    quiet: Quiet,
}

/// Finds out once, and not again until something comes, that nothing comes any more.
#[derive(Debug)]
struct Quiet {
    after: Duration,
    at: Option<Instant>,
    /// How often the peer was heard when that was set, or when buffers were given back.
    reads: u64,
}

#[derive(Debug)]
struct Keepalive {
    interval: Duration,
    timeout: Duration,
    at: Instant,
    /// How often the peer was heard when the clock was set.
    reads: u64,
    /// A ping is out.
    asked: bool,
}

impl Lifetime {
    /// Of a connection that begins now.
    pub fn new(bounds: impl Into<Bounds>, now: Instant) -> Self {
        let bounds = bounds.into();
        let keepalive = bounds.keepalive_interval.map(|interval| Keepalive {
            interval,
            timeout: bounds.keepalive_timeout,
            at: now + interval.min(FAR),
            reads: 0,
            asked: false,
        });
        // Connections that were made together do not end together.
        let age = bounds
            .max_age
            .map(|age| age.min(FAR).mul_f64(0.9 + 0.2 * fastrand::f64()));
        Self {
            keepalive,
            idle: bounds.max_idle,
            idle_since: Some(now),
            drain_at: age.map(|age| now + age),
            grace: bounds.max_age_grace,
            close_at: None,
            draining_since: None,
            quiet: Quiet {
                after: bounds.quiet.min(FAR),
                at: None,
                reads: 0,
            },
        }
    }

    /// When to ask again.
    pub fn next(&self) -> Option<Instant> {
        let told = self.draining_since.map(|since| since + DRAIN_ANSWER);
        let idle = self
            .idle
            .zip(self.idle_since)
            .map(|(idle, since)| since + idle.min(FAR));
        [
            self.keepalive.as_ref().map(|keepalive| keepalive.at),
            idle,
            self.drain_at,
            self.close_at,
            told,
            self.quiet.at,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What is to be done. The peer was heard `reads` times so far.
    pub fn due(&mut self, now: Instant, reads: u64) -> Due {
        if self.close_at.is_some_and(|at| at <= now) {
            return Due::Close("calls were still under way when the grace after its age had passed");
        }
        if self.drain_at.is_some_and(|at| at <= now) {
            self.drain_at = None;
            self.close_at = self.grace.map(|grace| now + grace.min(FAR));
            return Due::Drain;
        }
        if self
            .idle
            .zip(self.idle_since)
            .is_some_and(|(idle, since)| since + idle.min(FAR) <= now)
        {
            self.idle = None;
            return Due::Drain;
        }
        match &mut self.keepalive {
            Some(keepalive) if keepalive.at <= now => keepalive.due(now, reads),
            _ => self.quiet.due(now, reads),
        }
    }

    /// Says how often the peer was heard.
    pub fn heard(&mut self, reads: u64, now: impl FnOnce() -> Instant) {
        if self.quiet.at.is_none() && self.quiet.reads != reads {
            self.quiet.at = Some(now() + self.quiet.after);
            self.quiet.reads = reads;
        }
    }

    /// Says whether calls are under way, and whether some `came` since this was last said: they may be over already.
    pub fn set_busy(&mut self, busy: bool, came: bool, now: impl FnOnce() -> Instant) {
        if self.idle.is_none() {
            return;
        }
        if busy {
            self.idle_since = None;
        } else if came || self.idle_since.is_none() {
            self.idle_since = Some(now());
        }
    }

    /// The peer was told to go elsewhere. Its calls may go on for as long as the age and its grace allow.
    pub fn draining(&mut self, now: Instant) {
        self.draining_since = Some(now);
        self.idle = None;
    }

    /// Nothing is read from the peer any more, so it is not asked any more whether it is there.
    pub fn closing(&mut self) {
        self.keepalive = None;
    }

    /// True once new calls are refused: their caller has been told, or had the time to hear it.
    pub fn refuses(&mut self, now: Instant) -> bool {
        let refuses = self
            .draining_since
            .is_some_and(|since| since + DRAIN_ANSWER <= now);
        if refuses {
            self.draining_since = None;
        }
        refuses
    }
}

impl Quiet {
    fn due(&mut self, now: Instant, reads: u64) -> Due {
        if self.at.is_none_or(|at| at > now) {
            return Due::Nothing;
        }
        let heard = self.reads != reads;
        self.at = heard.then(|| now + self.after);
        self.reads = reads;
        if heard { Due::Nothing } else { Due::Trim }
    }
}

impl Keepalive {
    fn due(&mut self, now: Instant, reads: u64) -> Due {
        let heard = self.reads != reads;
        self.reads = reads;
        if self.asked && !heard {
            return Due::Close("the peer does not answer a ping");
        }
        self.asked = !heard;
        self.at = now
            + if heard {
                self.interval.min(FAR)
            } else {
                self.timeout.min(FAR)
            };
        if self.asked { Due::Ping } else { Due::Nothing }
    }
}

/// Longer than any connection lives, and little enough that no addition overflows.
pub(super) const FAR: Duration = Duration::from_hours(100 * 365 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn unbounded() -> Bounds {
        Bounds {
            keepalive_interval: None,
            keepalive_timeout: 20 * SECOND,
            max_idle: None,
            max_age: None,
            max_age_grace: None,
            quiet: 10 * SECOND,
        }
    }

    #[test]
    fn a_silent_peer_is_asked_and_then_given_up() {
        let start = Instant::now();
        let bounds = Bounds {
            keepalive_interval: Some(10 * SECOND),
            keepalive_timeout: 2 * SECOND,
            ..unbounded()
        };
        let mut life = Lifetime::new(bounds.clone(), start);
        assert_eq!(life.next(), Some(start + 10 * SECOND));
        assert_eq!(
            life.due(start + 10 * SECOND, 3),
            Due::Nothing,
            "it was heard meanwhile"
        );
        assert_eq!(life.due(start + 20 * SECOND, 3), Due::Ping);
        assert_eq!(life.next(), Some(start + 22 * SECOND));
        assert_eq!(life.due(start + 22 * SECOND, 4), Due::Nothing, "it answered");
        assert_eq!(life.due(start + 32 * SECOND, 4), Due::Ping);
        assert!(matches!(life.due(start + 34 * SECOND, 4), Due::Close(_)));
        life.closing();
        assert_eq!(life.next(), None, "it is not read from any more");
    }

    #[test]
    fn age_has_jitter_and_then_grace() {
        let start = Instant::now();
        let bounds = Bounds {
            max_age: Some(100 * SECOND),
            max_age_grace: Some(5 * SECOND),
            ..unbounded()
        };
        for _ in 0..100 {
            let mut life = Lifetime::new(bounds.clone(), start);
            let at = life.next().expect("it has an age");
            assert!((start + 90 * SECOND..=start + 110 * SECOND).contains(&at));
            assert_eq!(life.due(at, 0), Due::Drain);
            assert_eq!(life.next(), Some(at + 5 * SECOND));
            assert!(matches!(life.due(at + 5 * SECOND, 0), Due::Close(_)));
        }
    }

    #[test]
    fn idleness_counts_from_the_last_call() {
        let start = Instant::now();
        let bounds = Bounds {
            max_idle: Some(10 * SECOND),
            ..unbounded()
        };
        let mut life = Lifetime::new(bounds.clone(), start);
        life.set_busy(true, true, || start);
        assert_eq!(life.next(), None);
        life.set_busy(false, false, || start + 5 * SECOND);
        assert_eq!(life.due(start + 14 * SECOND, 0), Due::Nothing);
        life.set_busy(false, true, || start + 14 * SECOND);
        assert_eq!(
            life.due(start + 15 * SECOND, 0),
            Due::Nothing,
            "one came and went"
        );
        life.set_busy(false, false, || start + 20 * SECOND);
        assert_eq!(life.due(start + 24 * SECOND, 0), Due::Drain);
    }

    /// A call that crossed the word of going away runs on.
    #[test]
    fn the_age_and_its_grace_hold_for_what_drains_already() {
        let start = Instant::now();
        let bounds = Bounds {
            max_idle: Some(10 * SECOND),
            max_age: Some(100 * SECOND),
            max_age_grace: Some(5 * SECOND),
            ..unbounded()
        };
        let mut life = Lifetime::new(bounds, start);
        assert_eq!(life.due(start + 10 * SECOND, 0), Due::Drain);
        life.draining(start + 10 * SECOND);
        life.set_busy(true, true, || start + 10 * SECOND);
        assert!(life.refuses(start + 15 * SECOND));
        let old = life.next().expect("it has an age");
        assert!((start + 90 * SECOND..=start + 110 * SECOND).contains(&old));
        // Told once more, which is nothing new to who has been told.
        assert_eq!(life.due(old, 0), Due::Drain);
        assert_eq!(life.next(), Some(old + 5 * SECOND));
        assert!(matches!(life.due(old + 5 * SECOND, 0), Due::Close(_)));
    }

    #[test]
    fn buffers_are_given_back_once_when_nothing_comes_any_more() {
        let start = Instant::now();
        let mut life = Lifetime::new(unbounded(), start);
        assert_eq!(life.next(), None);
        life.heard(1, || start);
        assert_eq!(life.due(start + 10 * SECOND, 5), Due::Nothing, "more has come");
        assert_eq!(life.due(start + 20 * SECOND, 5), Due::Trim);
        life.heard(5, || start + 30 * SECOND);
        assert_eq!(life.next(), None, "not again before something comes");
        life.heard(6, || start + 40 * SECOND);
        assert_eq!(life.next(), Some(start + 50 * SECOND));
    }

    #[test]
    fn new_calls_are_refused_once_the_peer_had_time_to_hear_of_it() {
        let start = Instant::now();
        let mut life = Lifetime::new(unbounded(), start);
        assert!(!life.refuses(start + 100 * SECOND));
        life.draining(start);
        assert!(!life.refuses(start + 4 * SECOND));
        assert_eq!(life.next(), Some(start + 5 * SECOND));
        assert!(life.refuses(start + 5 * SECOND));
    }
}
