//! Going down one path of a `Serialize`.

mod parts;

use std::fmt;

use serde::{Serialize, Serializer, ser};

use self::parts::Parts;
use super::{FieldPath, FieldValue, Segment, Text};

/// How deep a message is followed where it goes down without a name, by options and newtypes.
const MAX_DEPTH: u8 = 128;

/// The [accessor](super::FieldAccessor) of what is `Serialize`, for codecs of that family.
///
/// Names are the serialized ones. A message that refuses to be serialized has nothing at the path.
pub fn serialized_field<T: Serialize + ?Sized>(
    value: &T,
    path: &FieldPath,
    found: &mut dyn FnMut(FieldValue<'_>),
) {
    let walk = Walk {
        path: path.segments(),
        found,
        left: MAX_DEPTH,
    };
    // It stops where the path ends or leads nowhere: either is no failure of ours.
    let _ = value.serialize(walk);
}

/// What is left of the path.
struct Walk<'w> {
    path: &'w [Segment],
    found: &'w mut dyn FnMut(FieldValue<'_>),
    left: u8,
}

/// There is nothing more to see.
#[derive(Debug)]
struct Stop;

type Outcome = Result<(), Stop>;

impl<'w> Walk<'w> {
    /// A value without parts.
    #[allow(
        clippy::unnecessary_wraps,
        reason = "it is what the methods of a serializer end with"
    )]
    fn leaf(self, value: FieldValue<'_>) -> Outcome {
        if self.path.is_empty() {
            (self.found)(value);
        }
        Ok(())
    }

    /// A value with parts: if the path ends here, it is there, and that is all there is to say.
    fn parts(self) -> Parts<'w> {
        if self.path.is_empty() {
            (self.found)(FieldValue::Composite);
        }
        Parts::of(self)
    }

    /// Below a variant: by its name.
    fn variant(self, variant: &str) -> Result<Self, Stop> {
        match self.path {
            [] => {
                (self.found)(FieldValue::Text(variant));
                Err(Stop)
            }
            [Segment::Name(name), rest @ ..] if **name == *variant => Ok(Self { path: rest, ..self }),
            _ => Err(Stop),
        }
    }

    /// The same place, for a part of it.
    fn below(&mut self, path: &'w [Segment]) -> Walk<'_> {
        Walk {
            path,
            found: &mut *self.found,
            left: self.left,
        }
    }

    fn deeper(mut self) -> Result<Self, Stop> {
        self.left = self.left.checked_sub(1).ok_or(Stop)?;
        Ok(self)
    }
}

impl<'w> Serializer for Walk<'w> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Parts<'w>;
    type SerializeTuple = Parts<'w>;
    type SerializeTupleStruct = Parts<'w>;
    type SerializeTupleVariant = Parts<'w>;
    type SerializeMap = Parts<'w>;
    type SerializeStruct = Parts<'w>;
    type SerializeStructVariant = Parts<'w>;

    fn serialize_bool(self, v: bool) -> Outcome {
        self.leaf(FieldValue::Bool(v))
    }

    fn serialize_i8(self, v: i8) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_i16(self, v: i16) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_i32(self, v: i32) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_i64(self, v: i64) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_i128(self, v: i128) -> Outcome {
        match (i64::try_from(v), u64::try_from(v)) {
            (Ok(v), _) => self.leaf(FieldValue::Signed(v)),
            (_, Ok(v)) => self.leaf(FieldValue::Unsigned(v)),
            #[allow(clippy::cast_precision_loss, reason = "as the type of the value says")]
            _ => self.leaf(FieldValue::Float(v as f64)),
        }
    }

    fn serialize_u8(self, v: u8) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_u16(self, v: u16) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_u32(self, v: u32) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_u64(self, v: u64) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_u128(self, v: u128) -> Outcome {
        match u64::try_from(v) {
            Ok(v) => self.leaf(FieldValue::Unsigned(v)),
            #[allow(clippy::cast_precision_loss, reason = "as the type of the value says")]
            Err(_) => self.leaf(FieldValue::Float(v as f64)),
        }
    }

    fn serialize_f32(self, v: f32) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_f64(self, v: f64) -> Outcome {
        self.leaf(v.into())
    }

    fn serialize_char(self, v: char) -> Outcome {
        self.leaf(FieldValue::Text(v.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, v: &str) -> Outcome {
        self.leaf(FieldValue::Text(v))
    }

    fn serialize_bytes(self, v: &[u8]) -> Outcome {
        self.leaf(FieldValue::Bytes(v))
    }

    fn serialize_none(self) -> Outcome {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Outcome {
        value.serialize(self.deeper()?)
    }

    fn serialize_unit(self) -> Outcome {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Outcome {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Outcome {
        self.leaf(FieldValue::Text(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Outcome {
        value.serialize(self.deeper()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Outcome {
        value.serialize(self.variant(variant)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'w>, Stop> {
        Ok(self.parts())
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'w>, Stop> {
        Ok(self.parts())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'w>, Stop> {
        Ok(self.parts())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'w>, Stop> {
        // Where the path ends at the variant, its name was handed out.
        Ok(self.variant(variant)?.parts())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'w>, Stop> {
        Ok(self.parts())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'w>, Stop> {
        Ok(self.parts())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'w>, Stop> {
        Ok(self.variant(variant)?.parts())
    }

    /// Without the `String` that serde would make.
    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Outcome {
        match Text::new().print(value) {
            Some(text) => self.leaf(FieldValue::Text(text)),
            None => Err(Stop),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing more to see")
    }
}

impl std::error::Error for Stop {}

impl ser::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}
