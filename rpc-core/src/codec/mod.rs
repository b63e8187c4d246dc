//! Message to bytes and back.
//!
//! A codec is a type without values. It implements [`Encode<T>`] and [`Decode<T>`] for the messages that it can carry;
//! the check that a service's messages fit its codecs happens at compile time, once per message type, and the choice
//! among them at run time: each method has a static table of [`MessageCodec`]s, and a call has an index into it.
//!
//! A trait object per codec was rejected: `dyn Codec` cannot be generic over the message, so it would go through an
//! intermediate value or erased serde, and cost an allocation per message.

#[cfg(feature = "bincode")]
pub mod bincode;
mod error;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(any(
    feature = "msgpack",
    feature = "json",
    feature = "postcard",
    feature = "bincode"
))]
mod nested;
#[cfg(feature = "postcard")]
mod postcard;
#[cfg(feature = "prost")]
mod prost;
mod table;

use bytes::{Bytes, BytesMut};

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
#[cfg(feature = "json")]
pub use self::json::Json;
#[cfg(feature = "msgpack")]
pub use self::msgpack::MsgPack;
#[cfg(feature = "json")]
pub(crate) use self::nested::Bounded;
#[cfg(feature = "postcard")]
pub use self::postcard::Postcard;
#[cfg(feature = "prost")]
pub use self::prost::Prost;
pub(crate) use self::table::Entry;
pub use self::{
    error::CodecError,
    table::{MessageCodec, MethodTypes},
};
use crate::message::{FieldAccessor, FieldCheck};

/// A way to write messages as bytes.
///
/// Implement it on a type without values, together with [`Encode`] and [`Decode`], and name it in
/// `#[rpc::service(codecs = [Mine])]`.
pub trait Codec: 'static {
    /// The content-subtype on the wire: `json` in `application/grpc+json`. Lower-case letters, digits, `-`, `_`, `.`.
    const NAME: &'static str;
}

/// A codec that can write a `T`.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be a message of this service: codec `{Self}` cannot encode it",
    label = "codec `{Self}` cannot encode this",
    note = "for a codec of the serde family (MsgPack, Json, Postcard, Bincode) add `#[derive(serde::Serialize, serde::Deserialize)]` to `{T}`",
    note = "for `Prost` add `#[derive(prost::Message)]`, or make it from a `.proto` file with `rpc-build`"
)]
pub trait Encode<T: ?Sized>: Codec {
    /// Finds fields of a message by path, for rules; `None` where this codec cannot without encoding it. A codec of the serde
    /// family says [`serialized_field`](crate::message::serialized_field).
    const FIELD: Option<FieldAccessor<T>> = None;

    /// Appends the encoded message to the buffer.
    ///
    /// # Errors
    /// If the value has no form in this codec: a map with keys that are not text in JSON, say.
    fn encode(value: &T, out: &mut BytesMut) -> Result<(), CodecError>;

    /// How many bytes [`encode`](Self::encode) will write, where that is cheap to know.
    fn encoded_len(value: &T) -> Option<usize> {
        let _ = value;
        None
    }
}

/// A codec that can read a `T`.
#[diagnostic::on_unimplemented(
    message = "`{T}` cannot be a message of this service: codec `{Self}` cannot decode it",
    label = "codec `{Self}` cannot decode this",
    note = "for a codec of the serde family (MsgPack, Json, Postcard, Bincode) add `#[derive(serde::Serialize, serde::Deserialize)]` to `{T}`",
    note = "for `Prost` add `#[derive(prost::Message)]`, or make it from a `.proto` file with `rpc-build`"
)]
pub trait Decode<T>: Codec {
    /// Says whether messages may have a field, for the validation of rules; `None` where this codec cannot know. A codec of the
    /// serde family says [`expected_field`](crate::message::expected_field).
    const FIELD_CHECK: Option<FieldCheck> = None;

    /// Reads the message that `bytes` hold, all of them.
    ///
    /// # Errors
    /// If they are not a whole message, or of another type.
    fn decode(bytes: Bytes) -> Result<T, CodecError>;
}
