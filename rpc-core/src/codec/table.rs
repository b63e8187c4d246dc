//! The codecs of one message and of one method, as static tables.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
};

use bytes::{Bytes, BytesMut};

use super::{Codec, CodecError, Decode, Encode};
use crate::{
    Method, MethodDescriptor, Status,
    message::{FieldAccessor, FieldCheck, FieldPath, FieldValue},
    status::{Side, excerpt, reason},
};

/// One codec, for one type of message. A pointer: messages carry it along.
pub struct MessageCodec<T: 'static>(&'static Entry<T>);

/// What a codec does with one type of message.
pub(crate) struct Entry<T> {
    pub(crate) name: &'static str,
    pub(crate) encode: fn(&T, &mut BytesMut) -> Result<(), CodecError>,
    pub(crate) encoded_len: fn(&T) -> Option<usize>,
    pub(crate) decode: fn(Bytes) -> Result<T, CodecError>,
    pub(crate) field: Option<FieldAccessor<T>>,
    pub(crate) field_check: Option<FieldCheck>,
}

impl<T> MessageCodec<T> {
    /// The entry of codec `C`.
    pub const fn of<C: Encode<T> + Decode<T>>() -> Self {
        Self(
            const {
                &Entry {
                    name: <C as Codec>::NAME,
                    encode: <C as Encode<T>>::encode,
                    encoded_len: <C as Encode<T>>::encoded_len,
                    decode: <C as Decode<T>>::decode,
                    field: <C as Encode<T>>::FIELD,
                    field_check: <C as Decode<T>>::FIELD_CHECK,
                }
            },
        )
    }

    /// The entry of codec `C`, with the fields of a message found as codec `F` finds them if `C` cannot.
    pub const fn with_fields_of<C: Encode<T> + Decode<T>, F: Encode<T> + Decode<T>>() -> Self {
        Self(
            const {
                let entry = Self::of::<C>().0;
                let (field, field_check) = match entry.field {
                    Some(field) => (Some(field), entry.field_check),
                    None => (<F as Encode<T>>::FIELD, <F as Decode<T>>::FIELD_CHECK),
                };
                &Entry {
                    name: entry.name,
                    encode: entry.encode,
                    encoded_len: entry.encoded_len,
                    decode: entry.decode,
                    field,
                    field_check,
                }
            },
        )
    }

    /// Of an entry made elsewhere.
    pub(crate) const fn of_entry(entry: &'static Entry<T>) -> Self {
        Self(entry)
    }

    /// The content-subtype.
    pub const fn name(&self) -> &'static str {
        self.0.name
    }

    /// Appends the encoded message to the buffer.
    ///
    /// # Errors
    /// INTERNAL with reason `MESSAGE_UNENCODABLE`, also if the message's own code panics: transports encode where a panic
    /// would end other calls too. The buffer is then as it was.
    pub fn encode(&self, value: &T, out: &mut BytesMut) -> Result<(), Status> {
        let before = out.len();
        let encoded = panic::catch_unwind(AssertUnwindSafe(|| (self.0.encode)(value, out)))
            .unwrap_or_else(|_| Err(CodecError::new("the message panicked")));
        encoded.map_err(|error| {
            out.truncate(before);
            let text = error.to_string();
            Status::internal(format!(
                "cannot encode the message as {}: {}",
                self.0.name,
                excerpt(&text)
            ))
            .with_reason(reason::MESSAGE_UNENCODABLE)
            .with_domain(reason::DOMAIN)
            .with_source(error)
        })
    }

    /// How many bytes [`encode`](Self::encode) will write, where that is cheap to know, and the message's own code does not
    /// panic.
    pub fn encoded_len(&self, value: &T) -> Option<usize> {
        panic::catch_unwind(AssertUnwindSafe(|| (self.0.encoded_len)(value))).unwrap_or(None)
    }

    /// Says whether messages may have a field; `None` if this codec has no way to find fields, or cannot know.
    pub const fn field_check(&self) -> Option<FieldCheck> {
        match self.0.field {
            Some(_) => self.0.field_check,
            None => None,
        }
    }

    /// Hands out what the message has at a path; false if this codec has no way to find fields.
    ///
    /// A message whose own code panics there has nothing.
    pub fn field(&self, value: &T, path: &FieldPath, found: &mut dyn FnMut(FieldValue<'_>)) -> bool {
        let Some(field) = self.0.field else { return false };
        // A rule is asked in front of other people's calls, too.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| field(value, path, found)));
        true
    }

    /// Reads a message.
    ///
    /// # Errors
    /// INTERNAL with reason `MESSAGE_MALFORMED`.
    pub fn decode(&self, bytes: Bytes) -> Result<T, Status> {
        (self.0.decode)(bytes).map_err(|error| {
            let text = error.to_string();
            Status::internal(format!(
                "cannot decode the message as {}: {}",
                self.0.name,
                excerpt(&text)
            ))
            .with_reason(reason::MESSAGE_MALFORMED)
            .with_domain(reason::DOMAIN)
            .with_source(error)
        })
    }
}

impl<T> Clone for MessageCodec<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for MessageCodec<T> {}

impl<T> fmt::Debug for MessageCodec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MessageCodec").field(&self.0.name).finish()
    }
}

/// A method with the types of its messages: the static that a generated stub and server share.
#[derive(Debug)]
pub struct MethodTypes<Req: 'static, Res: 'static> {
    descriptor: &'static MethodDescriptor,
    request: &'static [MessageCodec<Req>],
    response: &'static [MessageCodec<Res>],
}

impl<Req, Res> MethodTypes<Req, Res> {
    /// Puts the tables of both messages together. They list the same codecs in the same order.
    ///
    /// # Panics
    /// At compile time, if the tables are of different lengths or empty.
    pub const fn new(
        descriptor: &'static MethodDescriptor,
        request: &'static [MessageCodec<Req>],
        response: &'static [MessageCodec<Res>],
    ) -> Self {
        assert!(
            request.len() == response.len() && !request.is_empty(),
            "one entry a codec on both sides"
        );
        Self {
            descriptor,
            request,
            response,
        }
    }

    /// The method without its types.
    pub const fn descriptor(&self) -> &'static MethodDescriptor {
        self.descriptor
    }

    /// The method as a call carries it.
    pub const fn method(&self) -> Method {
        Method::Static(self.descriptor)
    }

    /// The tables' entries of the codec with that name; without a name, of the first.
    ///
    /// # Errors
    /// UNIMPLEMENTED with reason `CODEC_UNKNOWN`, not processed.
    #[inline]
    pub fn codec(&self, name: Option<&str>) -> Result<(MessageCodec<Req>, MessageCodec<Res>), Status> {
        match name {
            // Mostly the first of all, and the very same static: then there is nothing to compare.
            Some(name) if !std::ptr::eq(self.request[0].name(), name) => self.find(name),
            _ => Ok((self.request[0], self.response[0])),
        }
    }

    #[cold]
    fn find(&self, name: &str) -> Result<(MessageCodec<Req>, MessageCodec<Res>), Status> {
        let index = self.request.iter().position(|codec| codec.name() == name);
        let index = index.ok_or_else(|| {
            let (name, offered) = (excerpt(name), self.descriptor.codec_names().join(", "));
            Status::unimplemented(format!(
                "this method is not offered in codec `{name}`, but in: {offered}; its service says which, by \
                 `codecs = [Prost, ..]`"
            ))
            .with_reason(reason::CODEC_UNKNOWN)
            .with_domain(reason::DOMAIN)
            .not_processed()
        })?;
        Ok((self.request[index], self.response[index]))
    }

    /// The same for the caller's side: the mistake is then the caller's.
    pub(crate) fn codec_for_client(
        &self,
        name: Option<&str>,
    ) -> Result<(MessageCodec<Req>, MessageCodec<Res>), Status> {
        self.codec(name)
            .map_err(|status| status.at_side(Side::Client).at_method(&self.method()))
    }
}
