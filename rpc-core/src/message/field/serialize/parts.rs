//! The parts of a value, as they come.

use serde::{Serialize, ser};

use super::{Outcome, Stop, Walk};
use crate::message::{FieldValue, Segment};

/// The parts of a list, map or struct, which come one after the other.
pub(super) struct Parts<'w> {
    walk: Walk<'w>,
    /// The position of the next element.
    next: u32,
    /// Whether the key that just came is the one of the path.
    key_fits: bool,
}

impl<'w> Parts<'w> {
    pub(super) fn of(walk: Walk<'w>) -> Self {
        Self {
            walk,
            next: 0,
            key_fits: false,
        }
    }

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
