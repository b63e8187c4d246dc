//! What can be set.

use rpc_core::{BuildError, transport::supervise::LinkConfig};

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
    /// How connections are made, kept and closed.
    pub link: LinkConfig,
    /// How requests are compressed, unless a call says otherwise, for servers that can undo it. Default: not.
    pub compression: Option<Compression>,
    /// How many bytes the server may send on one stream before they are read. Default: 256 KiB.
    pub stream_credit_bytes: u32,
    /// How many bytes of messages that are larger than that may be held while they arrive, over all calls of a connection;
    /// one message may exceed it. Besides, each call may hold one that is complete and was not taken. Default: 16 MiB.
    pub max_buffered_bytes: usize,
    /// How many bytes may wait to be written before streams, and messages that are larger than a frame, wait for room. Other
    /// requests wait from eight times as much on, and behind those that wait already. Default: 1 MiB.
    pub max_unwritten_bytes: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            max_message_bytes: 4 << 20,
            max_send_message_bytes: None,
            max_metadata_bytes: 16 << 10,
            link: LinkConfig::default(),
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
        if !(1 << 10..1 << 16).contains(&self.max_metadata_bytes) {
            return wrong("max_metadata_bytes", "must be 1 KiB to 64 KiB - 1");
        }
        if !(16 << 10..=1 << 30).contains(&self.stream_credit_bytes) {
            return wrong("stream_credit_bytes", "must be 16 KiB to 1 GiB");
        }
        if self.max_unwritten_bytes == 0 {
            return wrong("max_unwritten_bytes", "nothing could be sent");
        }
        self.link.check()
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
