//! bincode 2, on request.
//!
//! # Why it is not the default
//! Its format has neither names nor tags, so adding a field breaks peers of another version, and a rolling upgrade is
//! just that. The crate is no longer maintained (RUSTSEC-2025-0141), and its version 3 is empty; it is here for services
//! that speak it already. [`MsgPack`](super::MsgPack) is the default; [`Postcard`](super::Postcard) is smaller and
//! maintained.
//!
//! Lengths that a message claims are bounded by [`DECODE_LIMIT_BYTES`], so a short message cannot ask for much memory.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, CodecError, Decode, Encode, nested::Bounded};
use crate::message::{FieldAccessor, FieldCheck, expected_field, serialized_field};

/// The most memory, in bytes, that one message may make the decoder ask for: 64 MiB.
pub const DECODE_LIMIT_BYTES: usize = 64 << 20;

/// bincode 2 in its standard configuration. Subtype `bincode`. For peers of the same version.
#[derive(Debug)]
pub enum Bincode {}

impl Codec for Bincode {
    const NAME: &'static str = "bincode";
}

impl<T: Serialize> Encode<T> for Bincode {
    const FIELD: Option<FieldAccessor<T>> = Some(serialized_field::<T>);

    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        bincode::serde::encode_into_std_write(value, &mut out.writer(), bincode::config::standard())
            .map(drop)
            .map_err(CodecError::new)
    }
}

impl<T: DeserializeOwned> Decode<T> for Bincode {
    const FIELD_CHECK: Option<FieldCheck> = Some(expected_field::<T>);

    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        let config = bincode::config::standard().with_limit::<DECODE_LIMIT_BYTES>();
        let decoded = bincode::serde::decode_from_slice(&bytes, config).map_err(CodecError::new)?;
        let (Bounded(value), read) = decoded;
        if read == bytes.len() {
            return Ok(value);
        }
        Err(CodecError::new(format!(
            "{} bytes follow the message",
            bytes.len() - read
        )))
    }
}
