//! A value with its encoder.

use std::any::Any;

use bytes::BytesMut;

use super::{FieldPath, FieldValue, Value};
use crate::{Status, codec::MessageCodec};

/// A message of a known type with the codec that was chosen for it: the one implementation of [`Value`].
#[derive(Debug)]
pub struct Typed<T: 'static> {
    value: Option<T>,
    codec: MessageCodec<T>,
}

impl<T: Send + 'static> Typed<T> {
    /// A value that will be encoded, if at all, by `codec`.
    pub fn new(value: T, codec: MessageCodec<T>) -> Self {
        Self {
            value: Some(value),
            codec,
        }
    }

    /// Takes the value out; `None` the second time.
    pub fn take_value(&mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T: Send + 'static> Value for Typed<T> {
    fn encode(&self, out: &mut BytesMut) -> Result<(), Status> {
        match &self.value {
            Some(value) => self.codec.encode(value, out),
            None => Err(Status::internal(
                "the message was handed over already and cannot be sent again",
            )),
        }
    }

    fn encoded_len(&self) -> Option<usize> {
        self.value
            .as_ref()
            .and_then(|value| self.codec.encoded_len(value))
    }

    fn field(&self, path: &FieldPath, found: &mut dyn FnMut(FieldValue<'_>)) -> bool {
        self.value
            .as_ref()
            .is_some_and(|value| self.codec.field(value, path, found))
    }

    fn take(&mut self) -> Option<Box<dyn Value>> {
        let value = self.value.take()?;
        Some(Box::new(Self {
            value: Some(value),
            codec: self.codec,
        }))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
