//! Messages that have nothing in them, and those that have.

use std::marker::PhantomData;

use super::{Carries, codec, codec_and};
#[cfg(any(feature = "json", feature = "msgpack"))]
use super::{DEFAULT_CODECS, SerdeMessage, default_codecs};
use crate::{
    codec::{Entry, MessageCodec},
    message::expected_field,
};

/// The request of a method without arguments: a message without fields in every codec.
///
/// Not `()`: serde writes that as `null`, and a method whose arguments or result have fields later could not read it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Empty {}

#[cfg(feature = "prost")]
impl prost::Message for Empty {
    fn encode_raw(&self, _: &mut impl bytes::BufMut) {}

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: prost::encoding::WireType,
        buf: &mut impl bytes::Buf,
        ctx: prost::encoding::DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        prost::encoding::skip_field(wire_type, tag, buf, ctx)
    }

    fn encoded_len(&self) -> usize {
        0
    }

    fn clear(&mut self) {}
}

/// Stands for a message type. `Kind::<T>::OF` is `Unit` if `T` is `()`, and `Message` if it is anything else.
///
/// The macro sees tokens: `()` can come from an alias, or be inside of one. What two sides call a type must not change the
/// bytes, so the compiler decides, which prefers the constant of the type to that of a trait.
#[derive(Debug)]
pub struct Kind<T: 'static>(PhantomData<fn() -> T>);

impl Kind<()> {
    /// Makes the tables of `()`.
    pub const OF: Unit = Unit(());
}

/// What a [`Kind`] is where the type itself does not say.
pub trait AnyKind<T: 'static> {
    /// Makes the tables of the message.
    const OF: Message<T>;
}

impl<T> AnyKind<T> for Kind<T> {
    const OF: Message<T> = Message(PhantomData);
}

/// Makes the tables of `()`, which goes over the wire as [`Empty`] does.
#[derive(Debug, Clone, Copy)]
pub struct Unit(());

#[allow(
    clippy::unused_self,
    clippy::extra_unused_type_parameters,
    reason = "as those of `Message`, and which type it is says all"
)]
impl Unit {
    /// The table's entry of a codec that the service names.
    pub const fn codec<C: Carries<Empty>>(self) -> MessageCodec<()> {
        MessageCodec::of_entry(
            const {
                &Entry {
                    name: C::NAME,
                    encode: |(), out| C::encode(&Empty {}, out),
                    encoded_len: |()| C::encoded_len(&Empty {}),
                    decode: |bytes| C::decode(bytes).map(|Empty {}| ()),
                    // It has none.
                    field: Some(|(), _, _| ()),
                    field_check: Some(expected_field::<Empty>),
                }
            },
        )
    }

    /// The same where the service names a codec `F` of the serde family as well: that there are no fields is known without it.
    pub const fn codec_and<C: Carries<Empty>, F>(self) -> MessageCodec<()> {
        self.codec::<C>()
    }

    /// The table of a service that names no codecs.
    #[cfg(any(feature = "json", feature = "msgpack"))]
    pub const fn default_codecs(self) -> [MessageCodec<()>; DEFAULT_CODECS.len()] {
        [
            #[cfg(feature = "msgpack")]
            self.codec::<crate::codec::MsgPack>(),
            #[cfg(feature = "json")]
            self.codec::<crate::codec::Json>(),
        ]
    }
}

/// Makes the tables of a message, whatever it is.
#[derive(Debug, Clone, Copy)]
pub struct Message<T: 'static>(PhantomData<fn() -> T>);

#[allow(clippy::unused_self, reason = "which type it is says all")]
impl<T> Message<T> {
    /// The table's entry of a codec that the service names.
    pub const fn codec<C: Carries<T>>(self) -> MessageCodec<T> {
        codec::<T, C>()
    }

    /// The same where the service names a codec `F` of the serde family as well.
    pub const fn codec_and<C: Carries<T>, F: Carries<T>>(self) -> MessageCodec<T> {
        codec_and::<T, C, F>()
    }

    /// The table of a service that names no codecs.
    #[cfg(any(feature = "json", feature = "msgpack"))]
    pub const fn default_codecs(self) -> [MessageCodec<T>; DEFAULT_CODECS.len()]
    where
        T: SerdeMessage,
    {
        default_codecs::<T>()
    }
}
