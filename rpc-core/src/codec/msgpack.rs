//! MessagePack with named fields, by `rmp-serde`.
//!
//! The default of the serde family. Structs are maps from field name to value, so a field with a default can be added
//! on either side, and an unknown one is passed over: the same compatibility as JSON at about half its size. The compact
//! form without names was rejected as a default, because adding a field then breaks old peers.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Codec, CodecError, Decode, Encode, nested::Bounded};
use crate::message::{FieldAccessor, FieldCheck, expected_field, serialized_field};

/// MessagePack with named fields. Subtype `msgpack`.
#[derive(Debug)]
pub enum MsgPack {}

impl Codec for MsgPack {
    const NAME: &'static str = "msgpack";
}

impl<T: Serialize> Encode<T> for MsgPack {
    const FIELD: Option<FieldAccessor<T>> = Some(serialized_field::<T>);

    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        rmp_serde::encode::write_named(&mut out.writer(), value).map_err(CodecError::new)
    }
}

impl<T: DeserializeOwned> Decode<T> for MsgPack {
    const FIELD_CHECK: Option<FieldCheck> = Some(expected_field::<T>);

    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        let bytes = &bytes[..];
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
        let Bounded(value) = Bounded::deserialize(&mut reader).map_err(CodecError::new)?;
        // The reader does not say how far it got, but at the end there is no marker of another value. A unit looks no further than
        // that: a value that breaks off inside would end in the same error.
        match <()>::deserialize(&mut reader) {
            Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(value),
            _ => Err(CodecError::new("more bytes follow the message")),
        }
    }
}
