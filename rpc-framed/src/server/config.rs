//! What a server can be told, with its defaults.

use std::{fmt, sync::Arc, time::Duration};

use rpc_core::{BuildError, executor::Executor};

use crate::{
    Compression,
    stream::Limits,
    wire::{compress, preface::Settings},
};

/// Settings of a [`FramedServer`](super::FramedServer). All limits are per connection unless they say otherwise.
///
/// ```
/// use rpc_framed::{FramedServer, ServerConfig};
///
/// let mut config = ServerConfig::default();
/// config.max_message_bytes = 16 << 20;
/// let server = FramedServer::new(config);
/// # let _ = server;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The largest message to receive, in bytes after decompression. Default 4 MiB. A larger one fails its call with
    /// RESOURCE_EXHAUSTED.
    pub max_message_bytes: usize,
    /// The largest message to send, in bytes before compression. Default: what the format allows, 2 GiB.
    pub max_send_message_bytes: usize,
    /// The most metadata of a request, or of a reply: names, values and 3 bytes for each. Default 16 KiB; at most 64 KiB - 1.
    pub max_metadata_bytes: usize,
    /// How many calls may be under way at once. Default 512. A peer waits with further ones.
    pub max_concurrent_calls: u32,
    /// The longest that a new connection may take to say its preface. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long a connection may be silent before the server asks whether the peer is still there. One whose peer goes on
    /// reading what it could not take at once is not. Default 2 h; `None` never asks.
    pub keepalive_interval: Option<Duration>,
    /// How long the peer may take to answer that. Default 20 s; then the connection is closed.
    pub keepalive_timeout: Duration,
    /// How long a peer may read nothing of what is to be written before the connection is closed. Default 60 s.
    pub stall_timeout: Duration,
    /// How old a connection may become before its peer is told to make a new one, give or take 10 %. Default: any age.
    pub max_connection_age: Option<Duration>,
    /// How long calls may go on after that. Default: to their end.
    pub max_connection_age_grace: Option<Duration>,
    /// How long a connection may have no call under way before its peer is told to close it. Default: for ever.
    pub max_connection_idle: Option<Duration>,
    /// How many bytes a peer may send on one stream before its handler takes them. Default 256 KiB.
    pub stream_credit_bytes: u32,
    /// How many bytes of messages that are larger than that may be held while they arrive, over all calls; one message may
    /// exceed it. Besides, each call may hold one that is complete and was not taken. Default: 16 MiB.
    pub max_buffered_bytes: usize,
    /// How many bytes may wait to be written before streams, and answers that are larger than a frame, wait for room, and no
    /// more requests are read. Other answers wait from eight times as much on. Default: 1 MiB.
    pub max_unwritten_bytes: usize,
    /// How replies are compressed, if the client can undo that. Default: not at all. A handler decides otherwise for its own
    /// reply with [`SendCompressed`](rpc_core::message::SendCompressed).
    pub compression: Option<Compression>,
    /// Where handlers run. `None`, the default, is the runtime of the connection, where a handler that needs not wait is
    /// run on the spot. With an executor every handler is handed to it.
    pub executor: Option<Arc<dyn Executor>>,
}

impl ServerConfig {
    /// Checks what the type cannot.
    ///
    /// # Errors
    /// With the name of the first field that would let nothing through.
    pub fn check(&self) -> Result<(), BuildError> {
        let wrong = |field, problem| Err(BuildError::new(field, problem));
        if self.max_message_bytes == 0 {
            return wrong("max_message_bytes", "no message fits into 0 bytes");
        }
        if !(1..=1 << 20).contains(&self.max_concurrent_calls) {
            return wrong("max_concurrent_calls", "must be 1 to 1048576");
        }
        if !(1 << 10..1 << 16).contains(&self.max_metadata_bytes) {
            return wrong("max_metadata_bytes", "must be 1 KiB to 64 KiB - 1");
        }
        if !(16 << 10..=1 << 30).contains(&self.stream_credit_bytes) {
            return wrong("stream_credit_bytes", "must be 16 KiB to 1 GiB");
        }
        if self.max_unwritten_bytes == 0 {
            return wrong("max_unwritten_bytes", "nothing could be answered");
        }
        if self.handshake_timeout.is_zero() {
            return wrong("handshake_timeout", "no handshake fits into zero time");
        }
        if self.stall_timeout.is_zero() {
            return wrong("stall_timeout", "every write takes some time");
        }
        if self.keepalive_interval.is_some_and(|interval| interval.is_zero()) {
            return wrong("keepalive_interval", "the peer would be asked without a pause");
        }
        if self.keepalive_interval.is_some() && self.keepalive_timeout.is_zero() {
            return wrong("keepalive_timeout", "no peer answers in zero time");
        }
        if self.max_connection_age.is_some_and(|age| age.is_zero()) {
            return wrong("max_connection_age", "no connection would take a call");
        }
        if self.max_connection_idle.is_some_and(|idle| idle.is_zero()) {
            return wrong("max_connection_idle", "no connection would take a call");
        }
        Ok(())
    }

    /// The same, with what cannot work brought to the nearest value that does.
    pub(super) fn within_bounds(mut self) -> Self {
        self.max_concurrent_calls = self.max_concurrent_calls.clamp(1, 1 << 20);
        self.max_metadata_bytes = self.max_metadata_bytes.clamp(1 << 10, (1 << 16) - 1);
        self.stream_credit_bytes = self.stream_credit_bytes.clamp(16 << 10, 1 << 30);
        self.max_unwritten_bytes = self.max_unwritten_bytes.max(1);
        self.max_message_bytes = self.max_message_bytes.max(1);
        self.handshake_timeout = self.handshake_timeout.max(LEAST_TIME);
        self.stall_timeout = self.stall_timeout.clamp(LEAST_TIME, Duration::from_hours(24));
        self.keepalive_timeout = self.keepalive_timeout.max(LEAST_TIME);
        for time in [
            &mut self.keepalive_interval,
            &mut self.max_connection_age,
            &mut self.max_connection_idle,
        ] {
            *time = time.map(|time| time.max(LEAST_TIME));
        }
        self
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

    /// What the client is told.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            max_calls: self.max_concurrent_calls,
            credit_bytes: self.stream_credit_bytes,
            max_frame_bytes: crate::MAX_FRAME_BYTES,
            max_message_bytes: self.max_message_bytes.min(u32::MAX as usize) as u32,
            max_metadata_bytes: self.max_metadata_bytes as u32,
            max_methods: MAX_METHODS,
            compressions: compress::accepted(),
        }
    }

    /// The longest payload that a client may send.
    pub(super) fn frame_limit(&self) -> usize {
        crate::MAX_FRAME_BYTES as usize + self.max_metadata_bytes + crate::FRAME_SLACK_BYTES
    }
}

/// What zero time is brought to.
const LEAST_TIME: Duration = Duration::from_millis(1);

/// How many methods a client may number: each keeps its path here.
const MAX_METHODS: u32 = 1024;

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_send_message_bytes: usize::MAX,
            max_metadata_bytes: 16 << 10,
            max_concurrent_calls: 512,
            handshake_timeout: Duration::from_secs(10),
            keepalive_interval: Some(Duration::from_hours(2)),
            keepalive_timeout: Duration::from_secs(20),
            stall_timeout: Duration::from_mins(1),
            max_connection_age: None,
            max_connection_age_grace: None,
            max_connection_idle: None,
            stream_credit_bytes: 256 << 10,
            max_buffered_bytes: 16 << 20,
            max_unwritten_bytes: 1 << 20,
            compression: None,
            executor: None,
        }
    }
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("max_message_bytes", &self.max_message_bytes)
            .field("max_send_message_bytes", &self.max_send_message_bytes)
            .field("max_metadata_bytes", &self.max_metadata_bytes)
            .field("max_concurrent_calls", &self.max_concurrent_calls)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("keepalive_interval", &self.keepalive_interval)
            .field("keepalive_timeout", &self.keepalive_timeout)
            .field("stall_timeout", &self.stall_timeout)
            .field("max_connection_age", &self.max_connection_age)
            .field("max_connection_age_grace", &self.max_connection_age_grace)
            .field("max_connection_idle", &self.max_connection_idle)
            .field("stream_credit_bytes", &self.stream_credit_bytes)
            .field("max_buffered_bytes", &self.max_buffered_bytes)
            .field("max_unwritten_bytes", &self.max_unwritten_bytes)
            .field("compression", &self.compression)
            .field("executor", &self.executor.as_ref().map(|_| ".."))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The field that is wrong. What it is brought to is right.
    fn wrong(change: impl FnOnce(&mut ServerConfig)) -> Option<String> {
        let mut config = ServerConfig::default();
        change(&mut config);
        let wrong = config.check().err().map(|error| error.field().to_owned());
        config.within_bounds().check().expect("it works");
        wrong
    }

    #[test]
    fn zero_time_is_refused_where_nothing_fits_into_it() {
        let zero = Duration::ZERO;
        let field = wrong(|config| config.handshake_timeout = zero);
        assert_eq!(field.as_deref(), Some("handshake_timeout"));
        let field = wrong(|config| config.stall_timeout = zero);
        assert_eq!(field.as_deref(), Some("stall_timeout"));
        let field = wrong(|config| config.keepalive_interval = Some(zero));
        assert_eq!(field.as_deref(), Some("keepalive_interval"));
        let field = wrong(|config| config.keepalive_timeout = zero);
        assert_eq!(field.as_deref(), Some("keepalive_timeout"));
        let field = wrong(|config| config.max_connection_age = Some(zero));
        assert_eq!(field.as_deref(), Some("max_connection_age"));
        let field = wrong(|config| config.max_connection_idle = Some(zero));
        assert_eq!(field.as_deref(), Some("max_connection_idle"));
        // Nobody is asked, and no grace is legal.
        let field = wrong(|config| {
            config.keepalive_interval = None;
            config.keepalive_timeout = zero;
            config.max_connection_age_grace = Some(zero);
        });
        assert_eq!(field, None);
    }
}
