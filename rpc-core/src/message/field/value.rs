//! What is found at the end of a path.

use std::fmt::Display;

use super::Text;

/// The value of a field, lent for as long as one looks at it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// A truth value.
    Bool(bool),
    /// A signed integer. Those of 128 bits that fit neither this nor [`Unsigned`](Self::Unsigned) are floats.
    Signed(i64),
    /// An unsigned integer.
    Unsigned(u64),
    /// A floating-point number.
    Float(f64),
    /// Text; also a character, and the name of an enum's variant.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A message, list or map: it is there, and has no value of its own.
    Composite,
}

impl FieldValue<'_> {
    /// Hands out what the value is as bytes: text as UTF-8, and numbers and truth values as text, so that the number 42 in a
    /// field and the text `42` in a header are the same. Nothing for what has no value of its own.
    pub(crate) fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        match *self {
            Self::Text(text) => Some(f(text.as_bytes())),
            Self::Bytes(bytes) => Some(f(bytes)),
            Self::Bool(value) => printed(&value, f),
            Self::Signed(value) => printed(&value, f),
            Self::Unsigned(value) => printed(&value, f),
            Self::Float(value) => printed(&value, f),
            Self::Composite => None,
        }
    }
}

/// Does something with the text of a value.
fn printed<R>(value: &dyn Display, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
    Text::new().print(value).map(|text| f(text.as_bytes()))
}

impl<'a> From<&'a str> for FieldValue<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for FieldValue<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for FieldValue<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

macro_rules! from {
    ($($variant:ident: $($ty:ty)*;)*) => {
        $($(impl From<$ty> for FieldValue<'_> {
            fn from(value: $ty) -> Self {
                Self::$variant(value.into())
            }
        })*)*
    };
}

from! {
    Bool: bool;
    Signed: i8 i16 i32 i64;
    Unsigned: u8 u16 u32 u64;
    Float: f32 f64;
}
