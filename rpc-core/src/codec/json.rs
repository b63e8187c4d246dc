//! JSON, by `serde_json`.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, CodecError, Decode, Encode, nested::Bounded};
use crate::message::{FieldAccessor, FieldCheck, expected_field, serialized_field};

/// JSON: readable by everybody, `curl` included. Subtype `json`.
#[derive(Debug)]
pub enum Json {}

impl Codec for Json {
    const NAME: &'static str = "json";
}

impl<T: Serialize> Encode<T> for Json {
    const FIELD: Option<FieldAccessor<T>> = Some(serialized_field::<T>);

    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        serde_json::to_writer(out.writer(), value).map_err(CodecError::new)
    }
}

impl<T: DeserializeOwned> Decode<T> for Json {
    const FIELD_CHECK: Option<FieldCheck> = Some(expected_field::<T>);

    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        let Bounded(value) = serde_json::from_slice(&bytes).map_err(CodecError::new)?;
        Ok(value)
    }
}
