//! Several arguments as a protobuf message.
//!
//! The macro knows from an argument's tokens what kind of field it must be, and its types say here whether they are. With
//! prost's own derive instead, one type that is no message would be seven errors, none of them at the type.

use bytes::Bytes;
pub use bytes::{Buf, BufMut};
use prost::{
    DecodeError,
    encoding::{self, DecodeContext, WireType},
};

/// A number, a `bool`, a text or bytes.
#[derive(Debug)]
pub enum Scalar {}
/// A message.
#[derive(Debug)]
pub enum Message {}
/// An `Option` of one of these.
#[derive(Debug)]
pub struct Optional<Kind>(Kind);
/// A `Vec` of one of these.
#[derive(Debug)]
pub struct Repeated<Kind>(Kind);

/// A field of a protobuf message, of a kind.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a field of a protobuf message, and `Prost` is one of the codecs",
    label = "needs `prost::Message`",
    note = "add `#[derive(Clone, PartialEq, prost::Message)]` to `{Self}`, or make it from a `.proto` file with `rpc-build`"
)]
pub trait ProstField<Kind>: Default + Send + Sync + 'static {
    /// Appends it, unless it is what a missing one is read as.
    fn encode(&self, tag: u32, buf: &mut impl BufMut);

    /// How many bytes that is.
    fn encoded_len(&self, tag: u32) -> usize;

    /// Reads it, or one more of a list.
    ///
    /// # Errors
    /// If it is of another kind, or cut off.
    fn merge(
        &mut self,
        wire: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError>;
}

macro_rules! scalars {
    ($encode_all:ident, $len_all:ident: $($ty:ty = $module:ident,)*) => {$(
        #[diagnostic::do_not_recommend]
        impl ProstField<Scalar> for $ty {
            fn encode(&self, tag: u32, buf: &mut impl BufMut) {
                if *self != <$ty>::default() {
                    encoding::$module::encode(tag, self, buf);
                }
            }

            fn encoded_len(&self, tag: u32) -> usize {
                if *self == <$ty>::default() { 0 } else { encoding::$module::encoded_len(tag, self) }
            }

            fn merge(
                &mut self,
                wire: WireType,
                buf: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                encoding::$module::merge(wire, self, buf, context)
            }
        }

        #[diagnostic::do_not_recommend]
        impl ProstField<Optional<Scalar>> for Option<$ty> {
            fn encode(&self, tag: u32, buf: &mut impl BufMut) {
                if let Some(value) = self {
                    encoding::$module::encode(tag, value, buf);
                }
            }

            fn encoded_len(&self, tag: u32) -> usize {
                self.as_ref().map_or(0, |value| encoding::$module::encoded_len(tag, value))
            }

            fn merge(
                &mut self,
                wire: WireType,
                buf: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                encoding::$module::merge(wire, self.get_or_insert_default(), buf, context)
            }
        }

        #[diagnostic::do_not_recommend]
        impl ProstField<Repeated<Scalar>> for Vec<$ty> {
            fn encode(&self, tag: u32, buf: &mut impl BufMut) {
                encoding::$module::$encode_all(tag, self, buf);
            }

            fn encoded_len(&self, tag: u32) -> usize {
                encoding::$module::$len_all(tag, self)
            }

            fn merge(
                &mut self,
                wire: WireType,
                buf: &mut impl Buf,
                context: DecodeContext,
            ) -> Result<(), DecodeError> {
                encoding::$module::merge_repeated(wire, self, buf, context)
            }
        }
    )*};
}

#[allow(clippy::float_cmp, reason = "exactly zero is what is left out")]
mod scalars {
    use super::{
        Buf, BufMut, Bytes, DecodeContext, DecodeError, Optional, ProstField, Repeated, Scalar, WireType,
        encoding,
    };

    scalars! {
        encode_packed, encoded_len_packed:
        bool = bool,
        i32 = int32,
        i64 = int64,
        u32 = uint32,
        u64 = uint64,
        f32 = float,
        f64 = double,
    }

    scalars! {
        encode_repeated, encoded_len_repeated:
        String = string,
        Vec<u8> = bytes,
        Bytes = bytes,
    }
}

#[diagnostic::do_not_recommend]
impl<T: prost::Message + Default + 'static> ProstField<Message> for T {
    fn encode(&self, tag: u32, buf: &mut impl BufMut) {
        encoding::message::encode(tag, self, buf);
    }

    fn encoded_len(&self, tag: u32) -> usize {
        encoding::message::encoded_len(tag, self)
    }

    fn merge(
        &mut self,
        wire: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        encoding::message::merge(wire, self, buf, context)
    }
}

#[diagnostic::do_not_recommend]
impl<T: prost::Message + Default + 'static> ProstField<Optional<Message>> for Option<T> {
    fn encode(&self, tag: u32, buf: &mut impl BufMut) {
        if let Some(message) = self {
            encoding::message::encode(tag, message, buf);
        }
    }

    fn encoded_len(&self, tag: u32) -> usize {
        self.as_ref()
            .map_or(0, |message| encoding::message::encoded_len(tag, message))
    }

    fn merge(
        &mut self,
        wire: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        encoding::message::merge(wire, self.get_or_insert_default(), buf, context)
    }
}

#[diagnostic::do_not_recommend]
impl<T: prost::Message + Default + 'static> ProstField<Repeated<Message>> for Vec<T> {
    fn encode(&self, tag: u32, buf: &mut impl BufMut) {
        encoding::message::encode_repeated(tag, self, buf);
    }

    fn encoded_len(&self, tag: u32) -> usize {
        encoding::message::encoded_len_repeated(tag, self)
    }

    fn merge(
        &mut self,
        wire: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        encoding::message::merge_repeated(wire, self, buf, context)
    }
}
