//! Fields of a message, found by path while nobody knows its type.
//!
//! A rule may mean the calls whose `order.region` is `eu`. The message is then asked for the field; it is not decoded, and
//! nothing is copied: a codec of the serde family runs the message's own `Serialize` with a serializer that goes down
//! one path, passes over everything beside it, and hands out what it finds at the end.
//!
//! Turning the message into a tree of values first was rejected: it costs an allocation a field, for each rule and call.

mod path;
mod serialize;
mod text;
mod value;

pub(crate) use self::text::Text;
pub use self::{
    path::{FieldPath, InvalidFieldPath, Segment},
    serialize::serialized_field,
    value::FieldValue,
};

/// Hands out what a message has at a path: once a value, so several times where the path says `[*]`, and not at all if there
/// is nothing.
pub type FieldAccessor<T> = fn(&T, &FieldPath, &mut dyn FnMut(FieldValue<'_>));
