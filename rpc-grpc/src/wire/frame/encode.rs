//! Writing frames.
//!
//! A message is encoded straight behind room for its prefix, which is filled in afterwards: prefix and message are one
//! buffer, written once. Only compression needs the message on its own first.

use std::task::{Context as Poller, Poll, ready};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Status,
    message::{Outgoing, SendCompressed, Value},
    status::reason,
};

use super::{Data, PREFIX_BYTES};
use crate::wire::compress::Compression;

/// Room for a message of unknown size, so that a small one does not grow the buffer five times.
pub(crate) const GUESS_BYTES: usize = 256;

/// How messages of one direction of a call are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoder {
    /// How they are compressed, if that is wanted and the peer can inflate it.
    pub(crate) compression: Option<Compression>,
    /// The largest message, in bytes before compression.
    pub(crate) limit_bytes: usize,
}

impl Encoder {
    /// The same, without compression while the switch, if there is one, is off.
    pub(crate) fn switched(self, switch: Option<&SendCompressed>) -> Self {
        match switch {
            Some(switch) if !switch.get() => Self {
                compression: None,
                ..self
            },
            _ => self,
        }
    }
}

/// Appends a message, framed. On an error the buffer is as it was.
///
/// # Errors
/// The codec's, or RESOURCE_EXHAUSTED if the message is larger than the limit.
pub(crate) fn encode_value(value: &dyn Value, encoder: Encoder, out: &mut BytesMut) -> Result<(), Status> {
    let start = out.len();
    if let Some(len) = value.encoded_len() {
        check_len(len, encoder.limit_bytes)?;
        out.reserve(PREFIX_BYTES + len);
    } else {
        out.reserve(GUESS_BYTES);
    }
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    let outcome = value.encode(out).and_then(|()| finish_frame(start, encoder, out));
    if outcome.is_err() {
        out.truncate(start);
    }
    outcome
}

/// Appends the next message of a stream, framed; `None` at its end. Unless there is one, the buffer is as it was.
///
/// The switch is looked at when the message is there, so that the stream may throw it for just that message.
pub(crate) fn encode_next(
    stream: &mut dyn Outgoing,
    cx: &mut Poller<'_>,
    encoder: Encoder,
    switch: Option<&SendCompressed>,
    out: &mut BytesMut,
) -> Poll<Option<Result<(), Status>>> {
    let start = out.len();
    out.reserve(GUESS_BYTES);
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    let polled = stream.poll_encode(cx, out);
    if !matches!(polled, Poll::Ready(Some(Ok(())))) {
        out.truncate(start);
    }
    let encoder = encoder.switched(switch);
    let item = ready!(polled).map(|item| item.and_then(|()| finish_frame(start, encoder, out)));
    if !matches!(item, Some(Ok(()))) {
        out.truncate(start);
    }
    Poll::Ready(item)
}

/// Frames a message that is encoded already, without a copy unless it is compressed.
pub(crate) fn frame_encoded(message: Bytes, encoder: Encoder) -> Result<Data, Status> {
    check_len(message.len(), encoder.limit_bytes)?;
    if let Some(compression) = encoder.compression {
        let mut out = BytesMut::zeroed(PREFIX_BYTES);
        compression.deflate(&message, &mut out)?;
        if out.len() - PREFIX_BYTES < message.len() {
            let prefix = prefix(true, out.len() - PREFIX_BYTES, encoder.limit_bytes)?;
            out[..PREFIX_BYTES].copy_from_slice(&prefix);
            return Ok(out.freeze().into());
        }
    }
    Ok(Data::prefixed(
        prefix(false, message.len(), encoder.limit_bytes)?,
        message,
    ))
}

/// Fills in the prefix at `start` of a message that follows it to the end of the buffer.
fn finish_frame(start: usize, encoder: Encoder, out: &mut BytesMut) -> Result<(), Status> {
    let body = start + PREFIX_BYTES;
    let len = out.len() - body;
    check_len(len, encoder.limit_bytes)?;
    let mut compressed = false;
    if let Some(compression) = encoder.compression {
        // Beside what is there, which may be a batch of messages.
        let mut deflated = BytesMut::new();
        compression.deflate(&out[body..], &mut deflated)?;
        // Each message says for itself whether it is compressed: one that grows is not.
        compressed = deflated.len() < len;
        if compressed {
            out.truncate(body);
            out.extend_from_slice(&deflated);
        }
    }
    let prefix = prefix(compressed, out.len() - body, encoder.limit_bytes)?;
    out[start..body].copy_from_slice(&prefix);
    Ok(())
}

fn prefix(compressed: bool, len: usize, limit_bytes: usize) -> Result<[u8; PREFIX_BYTES], Status> {
    // Whatever the limit is, a length is of 32 bits.
    let len = u32::try_from(len).map_err(|_| too_large(len, limit_bytes.min(u32::MAX as usize)))?;
    let mut prefix = [u8::from(compressed), 0, 0, 0, 0];
    prefix[1..].copy_from_slice(&len.to_be_bytes());
    Ok(prefix)
}

fn check_len(len: usize, limit_bytes: usize) -> Result<(), Status> {
    if len > limit_bytes {
        Err(too_large(len, limit_bytes))
    } else {
        Ok(())
    }
}

fn too_large(len: usize, limit_bytes: usize) -> Status {
    Status::resource_exhausted(format!(
        "the message to send is of {len} bytes, the limit is {limit_bytes}"
    ))
    .with_reason(reason::MESSAGE_TOO_LARGE)
    .with_domain(reason::DOMAIN)
}
