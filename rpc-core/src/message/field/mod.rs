//! Fields of a message, found by path while nobody knows its type.
//!
//! A rule may mean the calls whose `order.region` is `eu`. The message is then asked for the field; it is not decoded, and
//! nothing is copied: a codec of the serde family runs the message's own `Serialize` with a serializer that goes down
//! one path, passes over everything beside it, and hands out what it finds at the end.
//!
//! Turning the message into a tree of values first was rejected: it costs an allocation a field, for each rule and call.

mod expected;
mod path;
mod protobuf;
mod serialize;
mod text;
mod unknown;
mod value;

pub use self::{
    expected::expected_field,
    path::{FieldPath, InvalidFieldPath, Segment},
    serialize::serialized_field,
    unknown::UnknownField,
    value::FieldValue,
};
pub(crate) use self::{
    protobuf::{EncodedPath, Types},
    text::Text,
};

/// Hands out what a message has at a path: once a value, so several times where the path says `[*]`, and not at all if there
/// is nothing.
pub type FieldAccessor<T> = fn(&T, &FieldPath, &mut dyn FnMut(FieldValue<'_>));

/// Checks that messages of a type may have something at a path.
pub type FieldCheck = fn(&FieldPath) -> Result<(), UnknownField>;
