//! Fields of messages of protobuf, by the descriptor of their service.
//!
//! A prost message does not say what its fields are called, but the service's descriptor does: at validation a path becomes
//! a list of field numbers ([`EncodedPath`]), by which the encoded message is walked. Nothing is decoded but the field.

mod descriptor;
mod resolve;
mod wire;

use std::sync::Arc;

pub(crate) use self::resolve::Types;
use super::FieldValue;

/// A path with its names resolved: what is looked for in each message on the way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncodedPath {
    steps: Vec<Step>,
}

impl EncodedPath {
    /// Hands out what an encoded message has at the path; of one that is malformed, what comes before that.
    pub(crate) fn visit(&self, message: &[u8], found: &mut dyn FnMut(FieldValue<'_>)) {
        let _ = wire::visit(&self.steps, message, found);
    }
}

/// One field on the way.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    number: u32,
    pick: Pick,
    kind: Kind,
    /// Nothing on the wire means the default.
    has_default: bool,
}

/// Which of the field's values.
#[derive(Debug, Clone, PartialEq)]
enum Pick {
    /// The only one.
    Only,
    /// Whether there is any.
    Whole,
    Index(u32),
    Each,
    /// That of a map's key, which is written so, and is of a kind.
    Key(Box<str>, Kind),
    EachValue,
}

/// How a value is written.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Double,
    Float,
    Int,
    Uint,
    Sint,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    Text,
    Bytes,
    Message,
    /// The names of its values, by number in ascending order.
    Enum(Arc<[(i32, Box<str>)]>),
}
