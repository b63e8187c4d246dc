//! Values: text as HTTP carries it, or bytes.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;

use super::InvalidMetadata;

/// The value of an entry: text, or bytes for a key that ends in `-bin`.
#[derive(Clone, PartialEq, Eq)]
pub struct MetadataValue(Repr);

#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Text(HeaderValue),
    Binary { bytes: Bytes, is_sensitive: bool },
}

impl MetadataValue {
    /// Text of printable ASCII, `0x20` to `0x7E`. Blanks at either end may be lost on the way.
    ///
    /// # Errors
    /// If there is any other character in it.
    pub fn text(value: &str) -> Result<Self, InvalidMetadata> {
        if !value.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
            return Err(InvalidMetadata::new(
                value,
                "is not printable ASCII: use a `-bin` key for other text",
            ));
        }
        HeaderValue::from_str(value)
            .map(|value| Self(Repr::Text(value)))
            .map_err(|_| InvalidMetadata::new(value, "is not a legal value"))
    }

    /// Bytes.
    pub fn binary(value: impl Into<Bytes>) -> Self {
        Self(Repr::Binary {
            bytes: value.into(),
            is_sensitive: false,
        })
    }

    /// Takes over a header's value as it came off the wire.
    #[doc(hidden)]
    pub fn from_header(value: HeaderValue) -> Self {
        Self(Repr::Text(value))
    }

    /// The value as a header's; `None` if it is bytes.
    #[doc(hidden)]
    pub fn as_header(&self) -> Option<&HeaderValue> {
        match &self.0 {
            Repr::Text(value) => Some(value),
            Repr::Binary { .. } => None,
        }
    }

    /// The text; `None` if it is bytes, or text of a peer that is not ASCII.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Text(value) => value.to_str().ok(),
            Repr::Binary { .. } => None,
        }
    }

    /// The bytes; `None` if it is text.
    pub fn as_bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Repr::Text(_) => None,
            Repr::Binary { bytes, .. } => Some(bytes.clone()),
        }
    }

    /// How many bytes it has, before any encoding for the wire.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Text(value) => value.len(),
            Repr::Binary { bytes, .. } => bytes.len(),
        }
    }

    /// True if it is of no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Marks it secret: it is left out of `Debug`, and kept out of compression tables.
    pub fn sensitive(mut self) -> Self {
        match &mut self.0 {
            Repr::Text(value) => value.set_sensitive(true),
            Repr::Binary { is_sensitive, .. } => *is_sensitive = true,
        }
        self
    }

    /// True if it was marked secret.
    pub fn is_sensitive(&self) -> bool {
        match &self.0 {
            Repr::Text(value) => value.is_sensitive(),
            Repr::Binary { is_sensitive, .. } => *is_sensitive,
        }
    }
}

impl fmt::Debug for MetadataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(value) => value.fmt(f),
            Repr::Binary { bytes, .. } => write!(f, "{} bytes", bytes.len()),
        }
    }
}
