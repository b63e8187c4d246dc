//! Zstandard, by the reference library.
//!
//! Messages are inflated in one go into a buffer that the result stays in. Streaming was rejected: it allocates the window
//! that a frame asks for, up to 128 MiB for a few bytes. In one go the result is its own window, so what is allocated is
//! bounded by the limit of a message. A frame that does not say how large its content is costs a few attempts with
//! growing buffers.

use super::{Compression, malformed, too_large};
use crate::{Status, status::reason};
use ::zstd::zstd_safe::{self, CCtx, DCtx, zstd_sys::ZSTD_ErrorCode};
use bytes::{Bytes, BytesMut};

/// The library's own default: a good ratio at a speed above that of gzip's fastest.
const LEVEL: i32 = zstd_safe::CLEVEL_DEFAULT;

/// The least that is tried for content of unknown size.
const FIRST_BYTES: usize = 4 << 10;

pub(super) fn deflate(message: &[u8], out: &mut BytesMut) -> Result<(), Status> {
    let mut compressed = Vec::with_capacity(zstd_safe::compress_bound(message.len()));
    CCtx::create()
        .compress(&mut compressed, message, LEVEL)
        .map_err(|code| {
            Status::internal("the message could not be compressed as zstd")
                .with_reason(reason::MESSAGE_UNENCODABLE)
                .with_domain(reason::DOMAIN)
                .with_source(zstd_safe::get_error_name(code))
        })?;
    out.extend_from_slice(&compressed);
    Ok(())
}

pub(super) fn inflate(compressed: &[u8], limit_bytes: usize) -> Result<Bytes, Status> {
    let Ok(claimed) = zstd_safe::get_frame_content_size(compressed) else {
        return Err(malformed(Compression::Zstd));
    };
    let mut capacity = match claimed.map(usize::try_from) {
        Some(Ok(size)) if size <= limit_bytes => size,
        Some(_) => return Err(too_large(limit_bytes)),
        None => compressed
            .len()
            .saturating_mul(4)
            .clamp(FIRST_BYTES.min(limit_bytes), limit_bytes),
    };
    let mut context = DCtx::create();
    loop {
        let mut message = Vec::with_capacity(capacity);
        let Err(code) = context.decompress(&mut message, compressed) else {
            return Ok(message.into());
        };
        if !is_too_small(code) {
            return Err(malformed(Compression::Zstd).with_source(zstd_safe::get_error_name(code)));
        }
        if capacity >= limit_bytes {
            return Err(too_large(limit_bytes));
        }
        // More frames follow the first one, or the size was not said.
        capacity = capacity
            .saturating_mul(4)
            .clamp(FIRST_BYTES.min(limit_bytes), limit_bytes);
    }
}

/// Whether it is the buffer that was too small. An error of the library is the negative of its code.
fn is_too_small(error: usize) -> bool {
    error == (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg()
}
