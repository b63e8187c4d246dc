//! What a rule compares with.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Serialize};

use crate::message::FieldValue;

/// A text, number or truth value in a rule.
///
/// A text equals the same text only. A number equals numbers, and text that is one, as a header is; a truth value equals
/// truth values, and the texts `true` and `false`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scalar(Repr);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, a number, or `true` or `false`")]
enum Repr {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(Box<str>),
}

impl Scalar {
    /// True if a value is this.
    pub(super) fn equals(&self, value: FieldValue<'_>) -> bool {
        match (&self.0, value) {
            (Repr::Text(own), FieldValue::Text(value)) => **own == *value,
            (Repr::Text(own), FieldValue::Bytes(value)) => own.as_bytes() == value,
            (Repr::Bool(own), FieldValue::Bool(value)) => *own == value,
            (Repr::Bool(own), FieldValue::Text(value)) => value == if *own { "true" } else { "false" },
            (own, value) => match (own.number(), Number::of(value)) {
                (Some(own), Some(value)) => own == value,
                _ => false,
            },
        }
    }

    /// The number; `None` of a text or truth value.
    pub(super) fn number(&self) -> Option<Number> {
        self.0.number()
    }

    /// How many bytes of text it has.
    pub(super) fn text_len(&self) -> usize {
        match &self.0 {
            Repr::Text(text) => text.len(),
            _ => 0,
        }
    }

    /// False if it is not a number though it is said to be one.
    pub(super) fn is_sound(&self) -> bool {
        !matches!(self.0, Repr::Float(value) if !value.is_finite())
    }
}

impl Repr {
    fn number(&self) -> Option<Number> {
        Some(match *self {
            Self::Signed(value) => Number::Integer(value.into()),
            Self::Unsigned(value) => Number::Integer(value.into()),
            Self::Float(value) => Number::Float(value),
            Self::Bool(_) | Self::Text(_) => return None,
        })
    }
}

/// The same number is the same, whether a document or code says it.
impl PartialEq for Repr {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(own), Self::Bool(other)) => own == other,
            (Self::Text(own), Self::Text(other)) => own == other,
            (own, other) => own.number().is_some_and(|own| Some(own) == other.number()),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Bool(value) => value.fmt(f),
            Repr::Signed(value) => value.fmt(f),
            Repr::Unsigned(value) => value.fmt(f),
            Repr::Float(value) => value.fmt(f),
            Repr::Text(value) => fmt::Debug::fmt(value, f),
        }
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self(Repr::Text(value.into()))
    }
}

impl From<String> for Scalar {
    fn from(value: String) -> Self {
        Self(Repr::Text(value.into()))
    }
}

macro_rules! from {
    ($($variant:ident: $($ty:ty)*;)*) => {
        $($(impl From<$ty> for Scalar {
            fn from(value: $ty) -> Self {
                Self(Repr::$variant(value.into()))
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

/// A number. Integers are compared exactly, not as floats.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    /// The number that a value is, or that its text says.
    pub(super) fn of(value: FieldValue<'_>) -> Option<Self> {
        match value {
            FieldValue::Signed(value) => Some(Self::Integer(value.into())),
            FieldValue::Unsigned(value) => Some(Self::Integer(value.into())),
            FieldValue::Float(value) => Some(Self::Float(value)),
            FieldValue::Text(text) => {
                let integer = text.parse().ok().map(Self::Integer);
                let float = || text.parse().ok().filter(|float: &f64| float.is_finite());
                integer.or_else(|| float().map(Self::Float))
            }
            FieldValue::Bool(_) | FieldValue::Bytes(_) | FieldValue::Composite => None,
        }
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "against a float there is no more precision to be had"
    )]
    fn as_float(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (*self, *other) {
            (Self::Integer(own), Self::Integer(other)) => Some(own.cmp(&other)),
            (own, other) => own.as_float().partial_cmp(&other.as_float()),
        }
    }
}
