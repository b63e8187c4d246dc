//! What can be set.

use http::{HeaderValue, uri::Authority};
use rpc_core::{
    BuildError,
    transport::supervise::{LinkConfig, Spread},
};

use crate::{Compression, body::owed_bytes};

/// The settings of a [`GrpcTransport`](super::GrpcTransport). Start from the default and change fields.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The largest message that is received, in bytes after decompression; larger ones fail the call with
    /// RESOURCE_EXHAUSTED. Default: 4 MiB.
    pub max_message_bytes: usize,
    /// The largest message that is sent, in bytes before compression. Default: none but the format's, 4 GiB.
    pub max_send_message_bytes: Option<usize>,
    /// The largest metadata of one direction, as HTTP/2 counts: names, values and 32 bytes for each. Values of a `-bin` key that
    /// came joined with `,` count one by one. More fails the call with RESOURCE_EXHAUSTED and leaves the connection alone; of a
    /// failure that has more, the code arrives and what fits of its text and its details. Default:
    /// 16 KiB. Many peers take 8 KiB at most. More than 24,000 headers of a request are too large in any case.
    ///
    /// Of an answer that has more than 4 MiB, than four times this, and than sixteen times `max_frame_bytes`, the rest is not
    /// looked at: the call fails with INTERNAL, or with UNKNOWN where it is the trailers. Four times that closes the connection,
    /// and so does a block in more than 21 frames, or a quarter more than it would take of full ones.
    pub max_metadata_bytes: usize,
    /// How connections are made, kept and closed.
    pub link: LinkConfig,
    /// When calls to a server are spread over more connections than the link keeps at least. All streams of a connection share a
    /// lock and two tasks, ours and the server's: where the calls are many, several workers of a runtime get more done over
    /// several. On a runtime with one worker nothing is spread. Default: over up to 4, from 5,000 calls a second on each.
    pub spread: Spread,
    /// Goes in front of our own name in `user-agent`: `shop-frontend/1.2`. Default: nothing.
    pub user_agent: Option<String>,
    /// The `:authority` of requests in place of the address's own: for a server behind a tunnel or a proxy. Default: the
    /// address's, `host:port`.
    pub authority: Option<String>,
    /// How requests are compressed, unless a call says otherwise; a server that is known not to inflate it gets them as they
    /// are. Answers may be compressed in any way that this build knows. Default: not.
    pub compression: Option<Compression>,
    /// How many bytes the server may send on a connection before they are read, over all calls. Default: 5 MiB. Each
    /// frame takes some 260 bytes beside what is in it: this full of frames of 20 bytes takes 14 times as much. One that sends
    /// so small frames that it would take over 64 times as much, and over 16 MiB, loses the connection.
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
    /// many. One counts whose answer, or whose request, was not at its end. Default: 10 000. Where streams of records of a few
    /// bytes are given up with more than some 140 records on their way each, fewer are wanted: what is passed over of them is
    /// counted for the life of a connection, and ends it, with all its calls, when it is 64 times
    /// [`connection_window_bytes`](Self::connection_window_bytes), at 240 for each record.
    pub max_cancelled_calls: u32,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_send_message_bytes: None,
            max_metadata_bytes: 16 << 10,
            link: LinkConfig::default(),
            spread: Spread::default(),
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
        self.link.check()?;
        self.spread.check()?;
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

    /// How much flow control a call may owe to the server, whose bound of calls at once may be none.
    pub(super) fn owed_bytes(&self) -> u32 {
        const MANY_STREAMS: u32 = 5000;
        owed_bytes(
            self.stream_window_bytes,
            self.connection_window_bytes,
            MANY_STREAMS,
        )
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

#[cfg(test)]
mod tests {
    use super::*;

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
            field(|c| c.link.connections = 0..=1).as_deref(),
            Some("link.connections")
        );
        assert_eq!(
            field(|c| c.spread.connections = 0).as_deref(),
            Some("spread.connections")
        );
        assert_eq!(
            field(|c| c.authority = Some("a b".into())).as_deref(),
            Some("authority")
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
