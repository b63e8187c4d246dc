//! What can be set.

use std::time::Duration;

use http::{HeaderValue, uri::Authority};
use rpc_core::BuildError;

use crate::Compression;

/// The settings of a [`GrpcTransport`](super::GrpcTransport). Start from the default and change fields.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The largest message that is received, in bytes after decompression; larger ones fail the call with
    /// RESOURCE_EXHAUSTED. Default: 4 MiB.
    pub max_message_bytes: usize,
    /// The largest message that is sent, in bytes before compression. Default: none but the format's, 4 GiB.
    pub max_send_message_bytes: Option<usize>,
    /// The largest metadata of one direction, as HTTP/2 counts: names, values and 32 bytes for each. More fails the call
    /// with RESOURCE_EXHAUSTED and leaves the connection alone. Default: 16 KiB. Many peers take 8 KiB at most.
    pub max_metadata_bytes: usize,
    /// How long it may take to have a connection: lookup, connect, TLS, and the server's first SETTINGS. Default: 20 s.
    pub connect_timeout: Duration,
    /// How long to stay away from an address that cannot be connected to.
    pub backoff: Backoff,
    /// How dead connections are found.
    pub keepalive: Keepalive,
    /// How old a connection gets before it is replaced, give or take a tenth; calls on it go on to their end. With it a
    /// client finds new machines behind an old address. Default: no bound.
    pub max_connection_age: Option<Duration>,
    /// How long a connection may be without calls before it is closed; it may take half as long again. A link to an address
    /// that cannot be reached gives up after the same time, unless it is called. `None`: never. Default: 30 min.
    pub idle_timeout: Option<Duration>,
    /// How many connections are kept to each address. All calls on one connection share a lock and a task, so a client that
    /// calls one server from many cores gains by more. Default: 1; at most 64.
    pub connections_per_address: usize,
    /// Goes in front of our own name in `user-agent`: `shop-frontend/1.2`. Default: nothing.
    pub user_agent: Option<String>,
    /// The `:authority` of requests in place of the address's own: for a server behind a tunnel or a proxy. Default: the
    /// address's, `host:port`.
    pub authority: Option<String>,
    /// How requests are compressed, unless a call says otherwise; a server that is known not to inflate it gets them as they
    /// are. Answers may be compressed in any way that this build knows. Default: not.
    pub compression: Option<Compression>,
    /// How many bytes the server may send on a connection before they are read, over all calls. Default: 5 MiB.
    pub connection_window_bytes: u32,
    /// How many bytes the server may send on one call before they are read. Default: 2 MiB.
    pub stream_window_bytes: u32,
    /// The largest frame that the server may send, 16 KiB to 16 MiB - 1. Large ones make large messages cheaper, and delay
    /// others on the connection. Default: 256 KiB.
    pub max_frame_bytes: u32,
    /// How many cancelled calls are remembered on a connection, so that late answers to them are passed over at no risk.
    /// Each costs some hundred bytes for 30 s at most. Default: 4096.
    pub max_remembered_resets: usize,
    /// After how many cancelled calls a connection is replaced: servers count resets, and some close a connection that had
    /// many. Default: 10 000.
    pub max_cancelled_calls: u32,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_send_message_bytes: None,
            max_metadata_bytes: 16 << 10,
            connect_timeout: Duration::from_secs(20),
            backoff: Backoff::default(),
            keepalive: Keepalive::default(),
            max_connection_age: None,
            idle_timeout: Some(Duration::from_mins(30)),
            connections_per_address: 1,
            user_agent: None,
            authority: None,
            compression: None,
            connection_window_bytes: 5 << 20,
            stream_window_bytes: 2 << 20,
            max_frame_bytes: 256 << 10,
            max_remembered_resets: 4096,
            max_cancelled_calls: 10_000,
        }
    }
}

impl ClientConfig {
    /// Checks what can be wrong; the authority, if one is set.
    pub(super) fn checked(&self) -> Result<Option<Authority>, BuildError> {
        let wrong = |field: &'static str, problem: &'static str| Err(BuildError::new(field, problem));
        if self.connect_timeout.is_zero() {
            return wrong("connect_timeout", "must be longer than nothing");
        }
        if !(1..=64).contains(&self.connections_per_address) {
            return wrong("connections_per_address", "must be 1 to 64");
        }
        if !(16 << 10..1 << 24).contains(&self.max_frame_bytes) {
            return wrong("max_frame_bytes", "must be 16 KiB to 16 MiB - 1");
        }
        let windows = 65_535..1 << 31;
        if !windows.contains(&self.connection_window_bytes) {
            return wrong("connection_window_bytes", "must be 64 KiB - 1 to 2 GiB - 1");
        }
        if !windows.contains(&self.stream_window_bytes) {
            return wrong("stream_window_bytes", "must be 64 KiB - 1 to 2 GiB - 1");
        }
        if !(1 << 10..=1 << 24).contains(&self.max_metadata_bytes) {
            return wrong("max_metadata_bytes", "must be 1 KiB to 16 MiB");
        }
        if self.max_cancelled_calls == 0 {
            return wrong("max_cancelled_calls", "must be at least 1");
        }
        self.backoff.check()?;
        self.authority
            .as_ref()
            .map(|authority| {
                authority.parse().map_err(|error: http::uri::InvalidUri| {
                    BuildError::new(
                        "authority",
                        format!("`{authority}` is none: write `host` or `host:port`"),
                    )
                    .with_source(error)
                })
            })
            .transpose()
    }

    pub(super) fn user_agent_value(&self) -> Result<HeaderValue, BuildError> {
        const OURS: &str = concat!("grpc-rust-rpc/", env!("CARGO_PKG_VERSION"));
        let Some(prefix) = &self.user_agent else {
            return Ok(HeaderValue::from_static(OURS));
        };
        HeaderValue::try_from(format!("{prefix} {OURS}")).map_err(|error| {
            BuildError::new(
                "user_agent",
                "must be printable ASCII, such as `shop-frontend/1.2`",
            )
            .with_source(error)
        })
    }

    pub(super) fn send_limit_bytes(&self) -> usize {
        self.max_send_message_bytes.unwrap_or(usize::MAX)
    }
}

/// How long to stay away from an address, by attempt: `base * factor^n`, at most `max`, give or take `jitter`.
///
/// Time counts from the beginning of the attempt that failed. It starts anew once a connection was made and lasted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Backoff {
    /// After the first failure. Default: 1 s.
    pub base: Duration,
    /// By how much it grows with each further failure; at least 1. Default: 1.6.
    pub factor: f64,
    /// The share that chance adds or takes, 0 to 1: clients that lost the same server do not come back together.
    /// Default: 0.2.
    pub jitter: f64,
    /// The most, before chance. Default: 120 s.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            factor: 1.6,
            jitter: 0.2,
            max: Duration::from_mins(2),
        }
    }
}

impl Backoff {
    /// The pause after `failures` attempts in a row have failed; none after none.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let Some(exponent) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let grown = self.base.as_secs_f64() * self.factor.powi(exponent.min(1_000).cast_signed());
        let chance = 1.0 + self.jitter * (fastrand::f64() * 2.0 - 1.0);
        Duration::from_secs_f64(grown.min(self.max.as_secs_f64()) * chance)
    }

    fn check(&self) -> Result<(), BuildError> {
        let wrong = |field: &'static str, problem: &'static str| Err(BuildError::new(field, problem));
        if self.base.is_zero() {
            return wrong("backoff.base", "must be longer than nothing");
        }
        if !(self.factor >= 1.0 && self.factor.is_finite()) {
            return wrong("backoff.factor", "must be at least 1");
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return wrong("backoff.jitter", "must be 0 to 1");
        }
        if self.max < self.base || self.max > Duration::from_hours(24) {
            return wrong(
                "backoff.max",
                "must be at least `backoff.base`, and at most a day",
            );
        }
        Ok(())
    }
}

/// How dead connections are found: a ping when nothing was heard for a while.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Keepalive {
    /// How long nothing may be heard before a ping is sent; less than 10 s counts as 10 s. A server that gets more pings
    /// than it likes closes the connection, and the time is doubled for the next ones. Default: no pings.
    pub interval: Option<Duration>,
    /// How long to wait for anything from the server after a ping before the connection is given up. Default: 20 s.
    pub timeout: Duration,
    /// Whether to ping while there are no calls. Most servers mind. Default: no.
    pub without_calls: bool,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            interval: None,
            timeout: Duration::from_secs(20),
            without_calls: false,
        }
    }
}

impl Keepalive {
    /// The time between pings, after the server has complained so many times.
    pub(super) fn interval_after(&self, complaints: u32) -> Option<Duration> {
        let interval = self.interval?.max(Duration::from_secs(10));
        Some(interval.saturating_mul(1 << complaints.min(16)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_bound() {
        let backoff = Backoff {
            jitter: 0.0,
            ..Backoff::default()
        };
        let seconds = |failures| backoff.pause(failures).as_secs_f64();
        assert!(backoff.pause(0).is_zero());
        assert!((seconds(1) - 1.0).abs() < 1e-9);
        assert!((seconds(2) - 1.6).abs() < 1e-9);
        assert!((seconds(3) - 2.56).abs() < 1e-9);
        assert!((seconds(30) - 120.0).abs() < 1e-9);
        assert!((seconds(u32::MAX) - 120.0).abs() < 1e-9);
    }

    #[test]
    fn chance_stays_within_its_share() {
        let backoff = Backoff::default();
        for _ in 0..1000 {
            let pause = backoff.pause(1).as_secs_f64();
            assert!((0.8..=1.2).contains(&pause), "{pause}");
        }
    }

    #[test]
    fn keepalive_heeds_complaints() {
        let keepalive = Keepalive {
            interval: Some(Duration::from_secs(1)),
            ..Keepalive::default()
        };
        assert_eq!(keepalive.interval_after(0), Some(Duration::from_secs(10)));
        assert_eq!(keepalive.interval_after(2), Some(Duration::from_secs(40)));
        assert_eq!(Keepalive::default().interval_after(3), None);
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        let field = |change: fn(&mut ClientConfig)| {
            let mut config = ClientConfig::default();
            change(&mut config);
            config.checked().err().map(|error| error.field().to_owned())
        };
        assert_eq!(field(|_| ()), None);
        assert_eq!(
            field(|c| c.max_frame_bytes = 1).as_deref(),
            Some("max_frame_bytes")
        );
        assert_eq!(
            field(|c| c.connections_per_address = 0).as_deref(),
            Some("connections_per_address")
        );
        assert_eq!(
            field(|c| c.authority = Some("a b".into())).as_deref(),
            Some("authority")
        );
        assert_eq!(
            field(|c| c.backoff.factor = f64::NAN).as_deref(),
            Some("backoff.factor")
        );
        let config = ClientConfig {
            user_agent: Some("a\nb".into()),
            ..ClientConfig::default()
        };
        assert_eq!(
            config
                .user_agent_value()
                .err()
                .map(|e| e.field().to_owned())
                .as_deref(),
            Some("user_agent")
        );
    }
}
