//! gzip, by `flate2`.

use std::io::Write;

use super::{Compression, bounded::Bounded, malformed, too_large};
use crate::{Status, status::reason};
use bytes::{BufMut, Bytes, BytesMut};
use flate2::write::{GzDecoder, GzEncoder};

pub(super) fn deflate(message: &[u8], out: &mut BytesMut) -> Result<(), Status> {
    let mut encoder = GzEncoder::new(out.writer(), flate2::Compression::default());
    encoder
        .write_all(message)
        .and_then(|()| encoder.finish())
        .map(drop)
        .map_err(|error| {
            Status::internal("the message could not be compressed as gzip")
                .with_reason(reason::MESSAGE_UNENCODABLE)
                .with_domain(reason::DOMAIN)
                .with_source(error)
        })
}

pub(super) fn inflate(compressed: &[u8], limit_bytes: usize) -> Result<Bytes, Status> {
    // The guess is by what was received, not by the size that the trailer claims.
    let bounded = Bounded::new(compressed.len().saturating_mul(3), limit_bytes);
    let mut decoder = GzDecoder::new(bounded);
    // Nothing may follow the one member: `write_all` fails if the decoder takes no more.
    if let Err(error) = decoder.write_all(compressed).and_then(|()| decoder.try_finish()) {
        return Err(if decoder.get_ref().is_overflown() {
            too_large(limit_bytes)
        } else {
            malformed(Compression::Gzip).with_source(error)
        });
    }
    decoder
        .finish()
        .map(Bounded::into_bytes)
        .map_err(|error| malformed(Compression::Gzip).with_source(error))
}
