//! Going down one path of a `Serialize`.

use std::fmt;

use serde::{Serialize, Serializer, ser};

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
        Parts {
            walk: self,
            next: 0,
            key_fits: false,
        }
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

/// The parts of a list, map or struct, which come one after the other.
struct Parts<'w> {
    walk: Walk<'w>,
    /// The position of the next element.
    next: u32,
    /// Whether the key that just came is the one of the path.
    key_fits: bool,
}

impl Parts<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
        let at = self.next;
        self.next = self.next.saturating_add(1);
        match self.walk.path {
            [Segment::Each, rest @ ..] => {
                // What one element refuses is not the fault of the next.
                let _ = value.serialize(self.walk.below(rest));
                Ok(())
            }
            [Segment::Index(index), rest @ ..] if *index == at => {
                let _ = value.serialize(self.walk.below(rest));
                Err(Stop)
            }
            [Segment::Index(_), ..] => Ok(()),
            _ => Err(Stop),
        }
    }

    fn named<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Outcome {
        match self.walk.path {
            [Segment::Name(name), rest @ ..] if **name == *key => {
                let _ = value.serialize(self.walk.below(rest));
                Err(Stop)
            }
            [Segment::Name(_), ..] => Ok(()),
            _ => Err(Stop),
        }
    }
}

macro_rules! elements {
    ($($of:ident $method:ident;)*) => {
        $(impl ser::$of for Parts<'_> {
            type Ok = ();
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
                self.element(value)
            }

            fn end(self) -> Outcome {
                Ok(())
            }
        })*
    };
}

elements! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Outcome {
        self.key_fits = match self.walk.path {
            [Segment::Each, ..] => true,
            [Segment::Name(name), ..] => {
                let mut fits = false;
                let mut compare = |key: FieldValue<'_>| {
                    fits = key.with_bytes(|key| *key == *name.as_bytes()).unwrap_or(false);
                };
                let _ = key.serialize(Walk {
                    path: &[],
                    found: &mut compare,
                    left: self.walk.left,
                });
                fits
            }
            _ => return Err(Stop),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Outcome {
        if !self.key_fits {
            return Ok(());
        }
        let (rest, is_only) = match self.walk.path {
            [segment, rest @ ..] => (rest, *segment != Segment::Each),
            [] => return Err(Stop),
        };
        let _ = value.serialize(self.walk.below(rest));
        if is_only { Err(Stop) } else { Ok(()) }
    }

    fn end(self) -> Outcome {
        Ok(())
    }
}

macro_rules! structs {
    ($($of:ident)*) => {
        $(impl ser::$of for Parts<'_> {
            type Ok = ();
            type Error = Stop;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Outcome {
                self.named(key, value)
            }

            fn end(self) -> Outcome {
                Ok(())
            }
        })*
    };
}

structs! { SerializeStruct SerializeStructVariant }

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
