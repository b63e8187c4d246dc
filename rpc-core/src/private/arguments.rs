//! Messages that have nothing in them.

use super::Carries;
#[cfg(any(feature = "json", feature = "msgpack"))]
use super::DEFAULT_CODECS;
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

/// The table's entry for `()`, which goes over the wire as [`Empty`] does.
pub const fn unit_codec<C: Carries<Empty>>() -> MessageCodec<()> {
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

/// The table for `()` of a service that names no codecs.
#[cfg(any(feature = "json", feature = "msgpack"))]
pub const fn default_unit_codecs() -> [MessageCodec<()>; DEFAULT_CODECS.len()] {
    [
        #[cfg(feature = "msgpack")]
        unit_codec::<crate::codec::MsgPack>(),
        #[cfg(feature = "json")]
        unit_codec::<crate::codec::Json>(),
    ]
}
