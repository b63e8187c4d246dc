//! What can be set.

use std::time::Duration;

use rpc_core::BuildError;

use crate::{
    Compression,
    stream::Limits,
    wire::{compress, preface::Settings},
};

/// The settings of a [`FramedTransport`](super::FramedTransport). Start from the default and change fields.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The largest message that is received, in bytes after decompression; larger ones fail the call with
    /// RESOURCE_EXHAUSTED. Default: 4 MiB.
    pub max_message_bytes: usize,
    /// The largest message that is sent, in bytes before compression. Default: what the format allows, 2 GiB.
    pub max_send_message_bytes: Option<usize>,
    /// The largest metadata of one direction: names, values and 3 bytes for each. More fails the call with
    /// RESOURCE_EXHAUSTED. Default: 16 KiB; at most 64 KiB - 1.
    pub max_metadata_bytes: usize,
    /// How long it may take to have a connection: lookup, connect, TLS, and the server's preface. Default: 20 s.
    pub connect_timeout: Duration,
    /// How long to stay away from an address that cannot be connected to.
    pub backoff: Backoff,
    /// How long nothing may be heard before a ping is sent; less than 10 s counts as 10 s. Default: no pings.
    pub keepalive_interval: Option<Duration>,
    /// How long to wait for anything from the server after a ping before the connection is given up. Default: 20 s.
    pub keepalive_timeout: Duration,
    /// How old a connection gets before it is replaced, give or take a tenth; calls on it go on to their end. Default: no
    /// bound.
    pub max_connection_age: Option<Duration>,
    /// How long a connection may be without calls before it is closed; it may take half as long again. `None`: never.
    /// Default: 30 min.
    pub idle_timeout: Option<Duration>,
    /// How many connections are kept to each address. Default: 1; at most 64.
    pub connections_per_address: usize,
    /// How requests are compressed, unless a call says otherwise, for servers that can undo it. Default: not.
    pub compression: Option<Compression>,
    /// How many bytes the server may send on one stream before they are read. Default: 256 KiB.
    pub stream_credit_bytes: u32,
    /// How many bytes of messages that are larger than that may be held while they arrive, over all calls of a connection;
    /// one message may exceed it. Default: 16 MiB.
    pub max_buffered_bytes: usize,
    /// How many bytes may wait to be written before calls wait for room. Default: 1 MiB.
    pub max_unwritten_bytes: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_send_message_bytes: None,
            max_metadata_bytes: 16 << 10,
            connect_timeout: Duration::from_secs(20),
            backoff: Backoff::default(),
            keepalive_interval: None,
            keepalive_timeout: Duration::from_secs(20),
            max_connection_age: None,
            idle_timeout: Some(Duration::from_mins(30)),
            connections_per_address: 1,
            compression: None,
            stream_credit_bytes: 256 << 10,
            max_buffered_bytes: 16 << 20,
            max_unwritten_bytes: 1 << 20,
        }
    }
}

impl ClientConfig {
    pub(super) fn check(&self) -> Result<(), BuildError> {
        let wrong = |field: &'static str, problem: &'static str| Err(BuildError::new(field, problem));
        if self.connect_timeout.is_zero() {
            return wrong("connect_timeout", "must be longer than nothing");
        }
        if !(1..=64).contains(&self.connections_per_address) {
            return wrong("connections_per_address", "must be 1 to 64");
        }
        if !(1 << 10..1 << 16).contains(&self.max_metadata_bytes) {
            return wrong("max_metadata_bytes", "must be 1 KiB to 64 KiB - 1");
        }
        if !(16 << 10..=1 << 30).contains(&self.stream_credit_bytes) {
            return wrong("stream_credit_bytes", "must be 16 KiB to 1 GiB");
        }
        if self.max_unwritten_bytes == 0 {
            return wrong("max_unwritten_bytes", "nothing could be sent");
        }
        self.backoff.check()
    }

    pub(super) fn send_limit(&self) -> usize {
        self.max_send_message_bytes.unwrap_or(usize::MAX)
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            max_unwritten_bytes: self.max_unwritten_bytes,
            max_buffered_bytes: self.max_buffered_bytes,
            max_message_bytes: self.max_message_bytes,
            max_metadata_bytes: self.max_metadata_bytes,
            credit_bytes: self.stream_credit_bytes,
        }
    }

    /// What the server is told.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            credit_bytes: self.stream_credit_bytes,
            max_frame_bytes: crate::MAX_FRAME_BYTES,
            max_message_bytes: self.max_message_bytes.min(u32::MAX as usize) as u32,
            max_metadata_bytes: self.max_metadata_bytes as u32,
            compressions: compress::accepted(),
            ..Settings::least()
        }
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
    /// The share that chance adds or takes, 0 to 1. Default: 0.2.
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
