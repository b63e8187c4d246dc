//! Postcard: small and fast, without names or tags.
//!
//! For peers of the same version only: fields are told apart by position, so adding one breaks the other side.

use bytes::{Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, CodecError, Decode, Encode, nested::Bounded};
use crate::message::{FieldAccessor, FieldCheck, expected_field, serialized_field};

/// Postcard. Subtype `postcard`. For peers of the same version.
#[derive(Debug)]
pub enum Postcard {}

impl Codec for Postcard {
    const NAME: &'static str = "postcard";
}

impl<T: Serialize> Encode<T> for Postcard {
    const FIELD: Option<FieldAccessor<T>> = Some(serialized_field::<T>);

    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        postcard::serialize_with_flavor(value, Extend(out)).map_err(CodecError::new)
    }
}

impl<T: DeserializeOwned> Decode<T> for Postcard {
    const FIELD_CHECK: Option<FieldCheck> = Some(expected_field::<T>);

    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        match postcard::take_from_bytes(&bytes).map_err(CodecError::new)? {
            (Bounded(value), []) => Ok(value),
            (_, rest) => Err(CodecError::new(format!(
                "{} bytes follow the message",
                rest.len()
            ))),
        }
    }
}

/// Writes at the end of a buffer.
struct Extend<'a>(&'a mut BytesMut);

impl postcard::ser_flavors::Flavor for Extend<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
