//! Whether a type can have anything at a path, told before there is a message.
//!
//! A type that derives `Deserialize` asks for what it expects: a struct with these fields, a list, an enum with these
//! variants. So it is asked to read itself from a deserializer that answers along the path and fails at its end, which is
//! all that happens: no value is made. Where a type leaves open what comes (`untagged`, `flatten`, an implementation by
//! hand), so does the answer: such a path is accepted, and finds what there is.

use std::fmt;

use serde::{
    Deserializer,
    de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor},
};

use super::{FieldPath, Segment, UnknownField};

/// How deep a type is followed where it goes down without a name, by options and newtypes.
const MAX_DEPTH: u8 = 32;

/// Checks that a message of that type may have something at a path, for codecs of the serde family.
///
/// # Errors
/// If it never has, with the names that there are.
pub fn expected_field<T: de::DeserializeOwned>(path: &FieldPath) -> Result<(), UnknownField> {
    let probe = Probe {
        path: path.segments(),
        left: MAX_DEPTH,
    };
    match T::deserialize(probe) {
        Ok(_) | Err(Verdict::Accepted) => Ok(()),
        Err(Verdict::Refused { left, there }) => {
            let at = path.segments().len().saturating_sub(left);
            Err(UnknownField::new(path, at, there))
        }
    }
}

/// How it ended.
#[derive(Debug)]
enum Verdict {
    /// There may be something.
    Accepted,
    /// There is nothing, from the part on with which so many are left.
    Refused { left: usize, there: There },
}

/// What there is instead.
#[derive(Debug, Clone, Copy)]
pub(super) enum There {
    /// These names.
    Names(&'static [&'static str]),
    /// A value without parts.
    Value,
    /// A list.
    List,
    /// A map with any keys, or with numbers as keys.
    Map,
    /// A list of so many elements.
    Tuple(usize),
}

/// What is left of the path.
#[derive(Clone, Copy)]
struct Probe<'p> {
    path: &'p [Segment],
    left: u8,
}

impl Probe<'_> {
    fn refused<T>(self, there: There) -> Result<T, Verdict> {
        Err(Verdict::Refused {
            left: self.path.len(),
            there,
        })
    }

    fn leaf<T>(self) -> Result<T, Verdict> {
        if self.path.is_empty() {
            Err(Verdict::Accepted)
        } else {
            self.refused(There::Value)
        }
    }

    fn deeper(self) -> Result<Self, Verdict> {
        let left = self.left.checked_sub(1).ok_or(Verdict::Accepted)?;
        Ok(Self { left, ..self })
    }

    /// Past the first part.
    fn rest(self) -> Self {
        Self {
            path: self.path.get(1..).unwrap_or_default(),
            ..self
        }
    }

    fn tuple<'de, V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Verdict> {
        match self.path {
            [Segment::Index(index), ..] if *index as usize >= len => self.refused(There::Tuple(len)),
            [Segment::Index(0), ..] => visitor.visit_seq(First(self.rest())),
            [Segment::Name(_), ..] => self.refused(There::Tuple(len)),
            // What comes before an element cannot be made up.
            _ => Err(Verdict::Accepted),
        }
    }

    fn names<'de, V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Verdict> {
        match self.path {
            [] => Err(Verdict::Accepted),
            [Segment::Name(name), ..] if names.contains(&&**name) => visitor.visit_map(Entry {
                name,
                value: self.rest(),
            }),
            _ => self.refused(There::Names(names)),
        }
    }
}

macro_rules! leaves {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Verdict> {
            self.leaf()
        })*
    };
}

macro_rules! open {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Verdict> {
            Err(Verdict::Accepted)
        })*
    };
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Verdict;

    leaves! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
    }

    open! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Verdict> {
        visitor.visit_some(self.deeper()?)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Verdict> {
        self.leaf()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Verdict> {
        visitor.visit_newtype_struct(self.deeper()?)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Verdict> {
        match self.path {
            [] => Err(Verdict::Accepted),
            // Each is of the type of the first.
            [Segment::Index(_) | Segment::Each, ..] => visitor.visit_seq(First(self.rest())),
            [Segment::Name(_), ..] => self.refused(There::List),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Verdict> {
        self.tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Verdict> {
        self.tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Verdict> {
        let name = match self.path {
            [] => return Err(Verdict::Accepted),
            [Segment::Name(name), ..] => name,
            // A key for each.
            [Segment::Each, ..] => "0",
            [Segment::Index(_), ..] => return self.refused(There::Map),
        };
        visitor.visit_map(Entry {
            name,
            value: self.rest(),
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Verdict> {
        self.names(fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Verdict> {
        match self.path {
            [] => Err(Verdict::Accepted),
            [Segment::Name(name), ..] if variants.contains(&&**name) => visitor.visit_enum(Variant {
                name,
                value: self.rest(),
            }),
            _ => self.refused(There::Names(variants)),
        }
    }
}

/// A list of which the first element is looked at.
struct First<'p>(Probe<'p>);

impl<'de> SeqAccess<'de> for First<'_> {
    type Error = Verdict;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Verdict> {
        seed.deserialize(self.0).map(Some)
    }
}

/// A map or struct with one entry.
struct Entry<'p> {
    name: &'p str,
    value: Probe<'p>,
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Verdict;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Verdict> {
        seed.deserialize(Name(self.name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Verdict> {
        seed.deserialize(self.value)
    }
}

/// An enum of that variant.
struct Variant<'p> {
    name: &'p str,
    value: Probe<'p>,
}

impl<'de, 'p> EnumAccess<'de> for Variant<'p> {
    type Error = Verdict;
    type Variant = Inside<'p>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Inside<'p>), Verdict> {
        Ok((seed.deserialize(Name(self.name))?, Inside(self.value)))
    }
}

/// What a variant holds.
struct Inside<'p>(Probe<'p>);

impl<'de> VariantAccess<'de> for Inside<'_> {
    type Error = Verdict;

    fn unit_variant(self) -> Result<(), Verdict> {
        // The path is to end before it: there the name is found.
        self.0.refused(There::Value)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Verdict> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Verdict> {
        self.0.tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Verdict> {
        self.0.names(fields, visitor)
    }
}

/// A name: of a field, a variant, a key.
struct Name<'p>(&'p str);

macro_rules! numbers {
    ($($method:ident $visit:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Verdict> {
            match self.0.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => visitor.visit_str(self.0),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Name<'_> {
    type Error = Verdict;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Verdict> {
        visitor.visit_str(self.0)
    }

    numbers! {
        deserialize_i8 visit_i8;
        deserialize_i16 visit_i16;
        deserialize_i32 visit_i32;
        deserialize_i64 visit_i64;
        deserialize_u8 visit_u8;
        deserialize_u16 visit_u16;
        deserialize_u32 visit_u32;
        deserialize_u64 visit_u64;
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Verdict> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i128 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct enum
        identifier ignored_any
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the end of the path")
    }
}

impl std::error::Error for Verdict {}

impl de::Error for Verdict {
    /// What a type refuses of its own is not known here.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Accepted
    }
}
