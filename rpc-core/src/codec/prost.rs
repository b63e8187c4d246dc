//! Protocol buffers, by prost.

use bytes::{Bytes, BytesMut};
use prost::Message;

use super::{Codec, CodecError, Decode, Encode};

/// Protocol buffers: messages that derive `prost::Message`. Subtype `proto`, gRPC's default.
#[derive(Debug)]
pub enum Prost {}

impl Codec for Prost {
    const NAME: &'static str = "proto";
}

impl<T: Message> Encode<T> for Prost {
    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        value.encode(out).map_err(CodecError::new)
    }

    fn encoded_len(value: &T) -> Option<usize> {
        Some(value.encoded_len())
    }
}

impl<T: Message + Default> Decode<T> for Prost {
    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        T::decode(bytes).map_err(CodecError::new)
    }
}
