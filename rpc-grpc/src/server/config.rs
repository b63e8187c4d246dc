//! What a server can be told, with its defaults.

use std::{fmt, sync::Arc, time::Duration};

use rpc_core::{BuildError, executor::Executor};

use crate::{Compression, body::owed_bytes};

/// Settings of a [`GrpcServer`](super::GrpcServer). All limits are per connection unless they say otherwise.
///
/// ```
/// use std::time::Duration;
/// use rpc_grpc::{GrpcServer, ServerConfig};
///
/// let mut config = ServerConfig::default();
/// config.max_message_bytes = 16 << 20;
/// config.max_connection_age = Some(Duration::from_mins(30));
/// let server = GrpcServer::new(config);
/// # let _ = server;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The largest message to receive, in bytes after decompression. Default 4 MiB. A larger one fails its call with
    /// RESOURCE_EXHAUSTED.
    pub max_message_bytes: usize,
    /// The largest message to send, in bytes before compression. Default: no limit.
    pub max_send_message_bytes: usize,
    /// The most that the headers of a request, and the headers and the trailers of a reply, may take: the sum of name, value
    /// and 32 bytes for each. Values of a `-bin` key that came joined with `,` count one by one. Default 16 KiB.
    ///
    /// A request or a reply with more fails with RESOURCE_EXHAUSTED; a failure with more arrives without its metadata. More than
    /// 24,000 headers of a reply or a failure are too large in any case. A request with four times as much fails with HTTP status
    /// 431, and from sixteen times as much on the connection is closed.
    pub max_metadata_bytes: u32,
    /// How many calls may be under way at once. Default 256. A peer that heeds the setting waits; one that does not has
    /// its calls refused as not processed.
    pub max_concurrent_streams: u32,
    /// How many calls may be waiting that their caller has given up before the server looked at them. Default 1024:
    /// a client that drops many calls at once is no attacker. Beyond that the connection is closed; as many more may wait for
    /// the [`executor`](Self::executor), and beyond that calls are refused as not processed.
    pub max_pending_resets: usize,
    /// The longest that a new connection may take to say that it speaks HTTP/2. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long a connection may be silent before the server asks whether the peer is still there. Default 2 h; `None`
    /// never asks.
    pub keepalive_interval: Option<Duration>,
    /// How long the peer may take to answer that. Default 20 s; then the connection is closed.
    pub keepalive_timeout: Duration,
    /// The least time between two pings of a client. Default 5 min; `None` allows any. More than two that come earlier
    /// close the connection (`too_many_pings`), unless the server sent something in between.
    pub min_ping_interval: Option<Duration>,
    /// Whether a client may ping while it has no call under way. Default: once in 2 h.
    pub permit_ping_without_calls: bool,
    /// How old a connection may become before its peer is told to make a new one, give or take 10 %, so that those that
    /// were made together do not end together. Default: any age. Once its calls are over the connection is closed when the peer
    /// has taken their answers, or has taken nothing for 30 s.
    pub max_connection_age: Option<Duration>,
    /// How long calls may go on after that. Default: to their end.
    pub max_connection_age_grace: Option<Duration>,
    /// How long a connection may have no call under way before its peer is told to close it. Default: for ever.
    pub max_connection_idle: Option<Duration>,
    /// How many bytes a peer may send on the connection before handlers take them. Default 4 MiB; at least 65,535.
    /// Each frame takes some 260 bytes beside what is in it: this full of frames of 20 bytes takes 14 times as much. A peer
    /// that sends so small frames that it would take over 64 times as much, and over 16 MiB, loses its connection: 256 MiB by
    /// default. Lower it where peers are not trusted.
    pub connection_window_bytes: u32,
    /// How many bytes a peer may send on one call before its handler takes them. Default 1 MiB.
    pub stream_window_bytes: u32,
    /// The largest DATA frame that a peer may send. Default 256 KiB: large messages then come in few frames. From
    /// 16 KiB to 16 MiB - 1.
    pub max_frame_bytes: u32,
    /// How many bytes of one call may wait to be written. Default 256 KiB. While they do, no more messages are asked of
    /// the handler.
    pub send_buffer_bytes: usize,
    /// How replies are compressed, if the client can inflate that. Default: not at all. A handler decides otherwise for
    /// its own reply with [`SendCompressed`](rpc_core::message::SendCompressed).
    pub compression: Option<Compression>,
    /// Where handlers run. `None`, the default, is the runtime of the connection, where a handler that needs not wait is
    /// run on the spot. With an executor every handler is handed to it; one whose deadline has passed or whose caller is gone
    /// by the time it is run is not begun.
    pub executor: Option<Arc<dyn Executor>>,
}

impl ServerConfig {
    /// Checks what the type cannot.
    ///
    /// # Errors
    /// With the name of the first field that HTTP/2 does not allow, or that would let nothing through.
    pub fn check(&self) -> Result<(), BuildError> {
        let wrong = |field, problem| Err(BuildError::new(field, problem));
        if !(16 << 10..1 << 24).contains(&self.max_frame_bytes) {
            return wrong("max_frame_bytes", "must be from 16384 to 16777215");
        }
        if !(65_535..1 << 31).contains(&self.connection_window_bytes) {
            return wrong("connection_window_bytes", "must be from 65535 to 2147483647");
        }
        if !(1..1 << 31).contains(&self.stream_window_bytes) {
            return wrong("stream_window_bytes", "must be from 1 to 2147483647");
        }
        if !(1..=u32::MAX as usize).contains(&self.send_buffer_bytes) {
            return wrong("send_buffer_bytes", "must be from 1 to 4294967295");
        }
        if self.max_concurrent_streams == 0 {
            return wrong(
                "max_concurrent_streams",
                "must be at least 1, or no call gets through",
            );
        }
        if self.max_metadata_bytes < 1024 {
            return wrong(
                "max_metadata_bytes",
                "must be at least 1024: the headers of gRPC itself need some of it",
            );
        }
        if self.handshake_timeout.is_zero() {
            return wrong(
                "handshake_timeout",
                "must be more than zero, or no connection gets through",
            );
        }
        if self.keepalive_interval.is_some() && self.keepalive_timeout.is_zero() {
            return wrong(
                "keepalive_timeout",
                "must be more than zero: an answer takes time",
            );
        }
        let no_time = Some(Duration::ZERO);
        if self.max_connection_age == no_time {
            return wrong(
                "max_connection_age",
                "must be more than zero, or no call gets through",
            );
        }
        if self.max_connection_idle == no_time {
            return wrong(
                "max_connection_idle",
                "must be more than zero, or no call gets through",
            );
        }
        Ok(())
    }

    /// The same, with what HTTP/2 does not allow brought to the nearest value that it does.
    pub(super) fn within_bounds(mut self) -> Self {
        self.max_frame_bytes = self.max_frame_bytes.clamp(16 << 10, (1 << 24) - 1);
        self.connection_window_bytes = self.connection_window_bytes.clamp(65_535, i32::MAX as u32);
        self.stream_window_bytes = self.stream_window_bytes.clamp(1, i32::MAX as u32);
        self.send_buffer_bytes = self.send_buffer_bytes.clamp(1, u32::MAX as usize);
        self
    }

    /// How much flow control a call may owe to its caller.
    pub(super) fn owed_bytes(&self) -> u32 {
        owed_bytes(
            self.stream_window_bytes,
            self.connection_window_bytes,
            self.max_concurrent_streams,
        )
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_send_message_bytes: usize::MAX,
            max_metadata_bytes: 16 << 10,
            max_concurrent_streams: 256,
            max_pending_resets: 1024,
            handshake_timeout: Duration::from_secs(10),
            keepalive_interval: Some(Duration::from_hours(2)),
            keepalive_timeout: Duration::from_secs(20),
            min_ping_interval: Some(Duration::from_mins(5)),
            permit_ping_without_calls: false,
            max_connection_age: None,
            max_connection_age_grace: None,
            max_connection_idle: None,
            connection_window_bytes: 4 << 20,
            stream_window_bytes: 1 << 20,
            max_frame_bytes: 256 << 10,
            send_buffer_bytes: 256 << 10,
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
            .field("max_concurrent_streams", &self.max_concurrent_streams)
            .field("max_pending_resets", &self.max_pending_resets)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("keepalive_interval", &self.keepalive_interval)
            .field("keepalive_timeout", &self.keepalive_timeout)
            .field("min_ping_interval", &self.min_ping_interval)
            .field("permit_ping_without_calls", &self.permit_ping_without_calls)
            .field("max_connection_age", &self.max_connection_age)
            .field("max_connection_age_grace", &self.max_connection_age_grace)
            .field("max_connection_idle", &self.max_connection_idle)
            .field("connection_window_bytes", &self.connection_window_bytes)
            .field("stream_window_bytes", &self.stream_window_bytes)
            .field("max_frame_bytes", &self.max_frame_bytes)
            .field("send_buffer_bytes", &self.send_buffer_bytes)
            .field("compression", &self.compression)
            .field("executor", &self.executor.as_ref().map(|_| ".."))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_legal() {
        ServerConfig::default().check().expect("legal");
    }

    #[test]
    fn each_mistake_names_its_field() {
        let field = |change: fn(&mut ServerConfig)| {
            let mut config = ServerConfig::default();
            change(&mut config);
            config.check().err().map(|error| error.field().to_owned())
        };
        let names = |expected: &str, change: fn(&mut ServerConfig)| {
            assert_eq!(field(change).as_deref(), Some(expected));
        };
        names("max_frame_bytes", |config| config.max_frame_bytes = 1024);
        names("max_concurrent_streams", |config| {
            config.max_concurrent_streams = 0;
        });
        names("handshake_timeout", |config| {
            config.handshake_timeout = Duration::ZERO;
        });
        names("keepalive_timeout", |config| {
            config.keepalive_timeout = Duration::ZERO;
        });
        names("max_connection_age", |config| {
            config.max_connection_age = Some(Duration::ZERO);
        });
        names("max_connection_idle", |config| {
            config.max_connection_idle = Some(Duration::ZERO);
        });
        let never_asks = ServerConfig {
            keepalive_interval: None,
            keepalive_timeout: Duration::ZERO,
            ..ServerConfig::default()
        };
        never_asks.check().expect("it has no use");
    }
}
