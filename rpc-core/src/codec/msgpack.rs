//! MessagePack with named fields, by `rmp-serde`.
//!
//! The default of the serde family. Structs are maps from field name to value, so a field with a default can be added
//! on either side, and an unknown one is passed over: the same compatibility as JSON at about half its size. The compact
//! form without names was rejected as a default, because adding a field then breaks old peers.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use super::{Codec, CodecError, Decode, Encode};

/// MessagePack with named fields. Subtype `msgpack`.
#[derive(Debug)]
pub enum MsgPack {}

impl Codec for MsgPack {
    const NAME: &'static str = "msgpack";
}

impl<T: Serialize> Encode<T> for MsgPack {
    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError> {
        rmp_serde::encode::write_named(&mut out.writer(), value).map_err(CodecError::new)
    }
}

impl<T: DeserializeOwned> Decode<T> for MsgPack {
    fn decode(bytes: Bytes) -> Result<T, CodecError> {
        let mut rest = &bytes[..];
        let value = rmp_serde::from_read(&mut rest).map_err(CodecError::new)?;
        if rest.is_empty() {
            return Ok(value);
        }
        Err(CodecError::new(format!("{} bytes follow the message", rest.len())))
    }
}
