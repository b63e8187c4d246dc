//! What can be set of a link.

use std::{ops::RangeInclusive, time::Duration};

use super::{Backoff, Keepalive};
use crate::BuildError;

/// Nobody would be waited for any less: a link that was called would have given up before it connects.
const SHORTEST_IDLE: Duration = Duration::from_millis(1);

/// With less than that a link would do little but connect.
const SHORTEST_AGE: Duration = Duration::from_secs(1);

/// How the connections to an address are kept. Start from the default and change fields.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LinkConfig {
    /// How long it may take to have a connection: lookup, connect, TLS, and the first that the server says. Default: 20 s.
    pub connect_timeout: Duration,
    /// How long to stay away from an address that cannot be connected to, or whose connection was lost.
    pub backoff: Backoff,
    /// How dead connections are found.
    pub keepalive: Keepalive,
    /// How many connections are kept to each address: at least and at most, 1 to 64. One more is made whenever all have as many
    /// calls as the server takes on one (HTTP/2's `MAX_CONCURRENT_STREAMS`); until it is there, calls wait their turn. Calls
    /// go to the connection with the fewest. All calls on one connection share a task, so a client that calls one server from
    /// many cores gains by a higher least number; a transport that [spreads](super::Spread) them adds some by itself, also
    /// beyond the most, and lets calls prefer those whose task runs on their thread. Default: 1 to 1.
    pub connections: RangeInclusive<usize>,
    /// How long the calls must have had ample room on one connection fewer, half of it free, before one above the least number
    /// is closed. Default: 1 min.
    pub shrink_after: Duration,
    /// How long a link may be without calls before its connections are closed; it may take half as long again. The next call,
    /// or being told to connect, makes them anew. A link to an address that cannot be reached gives up after the same
    /// time, unless it is called or a call waits for it; never before it has failed once. At least 1 ms. `None`: connections
    /// are kept warm for ever. Default: 30 min.
    pub idle_timeout: Option<Duration>,
    /// Whether a connection that the server closes while there is no call on it, as servers do with idle ones, is
    /// made anew before there is a call for it. Only one that lasted less than the backoff's [`proof`](Backoff::proof) and had
    /// no call is left to the next call in any case. It is given up all the same once there was no call for the
    /// [`idle_timeout`](Self::idle_timeout). Default: yes.
    pub reconnect_idle: bool,
    /// How old a connection gets before it is replaced, give or take a tenth; it takes calls until the next one is there, and
    /// calls on it go on to their end. With it a client finds new machines behind an old address. At least 1 s. Default: no
    /// bound, which is `None` and not zero.
    pub max_connection_age: Option<Duration>,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            backoff: Backoff::default(),
            keepalive: Keepalive::default(),
            connections: 1..=1,
            shrink_after: Duration::from_mins(1),
            idle_timeout: Some(Duration::from_mins(30)),
            reconnect_idle: true,
            max_connection_age: None,
        }
    }
}

impl LinkConfig {
    /// Finds what cannot work.
    ///
    /// # Errors
    /// Names the field, as part of the settings of a transport: `link.connections`.
    pub fn check(&self) -> Result<(), BuildError> {
        let wrong = |field: &'static str, problem: &'static str| Err(BuildError::new(field, problem));
        if self.connect_timeout.is_zero() {
            return wrong("link.connect_timeout", "must be longer than nothing");
        }
        if self.connections.is_empty() || *self.connections.start() < 1 || *self.connections.end() > 64 {
            return wrong(
                "link.connections",
                "must be at least 1, at most 64, and the least number first",
            );
        }
        if self.shrink_after.is_zero() {
            return wrong("link.shrink_after", "must be longer than nothing");
        }
        if self.idle_timeout.is_some_and(|timeout| timeout < SHORTEST_IDLE) {
            return wrong("link.idle_timeout", "must be at least a millisecond, or none");
        }
        if self.max_connection_age.is_some_and(|age| age < SHORTEST_AGE) {
            return wrong("link.max_connection_age", "must be at least a second, or none");
        }
        if self.keepalive.interval.is_some() && self.keepalive.timeout.is_zero() {
            return wrong(
                "link.keepalive.timeout",
                "must be longer than nothing: an answer takes time",
            );
        }
        self.backoff.check()
    }

    /// True if the number of connections follows the calls.
    pub(super) fn scales(&self) -> bool {
        self.connections.start() < self.connections.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_field_that_is_wrong() {
        let field = |change: fn(&mut LinkConfig)| {
            let mut config = LinkConfig::default();
            change(&mut config);
            config.check().err().map(|error| error.field().to_owned())
        };
        assert_eq!(field(|_| ()), None);
        assert_eq!(field(|c| c.connections = 2..=64), None);
        for change in [
            (|c| c.connections = 0..=1) as fn(&mut LinkConfig),
            |c| c.connections = 1..=65,
            #[expect(clippy::reversed_empty_ranges, reason = "it is what is to be refused")]
            |c| c.connections = 3..=2,
        ] {
            assert_eq!(field(change).as_deref(), Some("link.connections"));
        }
        assert_eq!(
            field(|c| c.connect_timeout = Duration::ZERO).as_deref(),
            Some("link.connect_timeout")
        );
        for timeout in [Duration::ZERO, Duration::from_nanos(1)] {
            let config = LinkConfig {
                idle_timeout: Some(timeout),
                ..LinkConfig::default()
            };
            let error = config.check().expect_err("no call would find a connection");
            assert_eq!(error.field(), "link.idle_timeout");
        }
        assert_eq!(field(|c| c.idle_timeout = None), None);
        for age in [Duration::ZERO, Duration::from_millis(999)] {
            let config = LinkConfig {
                max_connection_age: Some(age),
                ..LinkConfig::default()
            };
            let error = config
                .check()
                .expect_err("each connection is old when it is there");
            assert_eq!(error.field(), "link.max_connection_age");
        }
        assert_eq!(
            field(|c| c.max_connection_age = Some(Duration::from_secs(1))),
            None
        );
        assert_eq!(
            field(|c| {
                c.keepalive.interval = Some(Duration::from_secs(10));
                c.keepalive.timeout = Duration::ZERO;
            })
            .as_deref(),
            Some("link.keepalive.timeout")
        );
        assert_eq!(
            field(|c| c.keepalive.timeout = Duration::ZERO),
            None,
            "there are no pings"
        );
        assert_eq!(
            field(|c| c.backoff.factor = f64::NAN).as_deref(),
            Some("link.backoff.factor")
        );
        assert_eq!(
            field(|c| c.backoff.max = Duration::from_millis(1)).as_deref(),
            Some("link.backoff.max")
        );
    }
}
