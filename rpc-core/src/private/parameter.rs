//! Fields of a user's error as parameters of its reason, and back.
//!
//! Parameters are text, so that a peer in any language can read them in its `ErrorInfo`.

use super::Parameter;
use crate::Status;
#[cfg(feature = "json")]
use crate::codec::Bounded;

/// How one field is written and read. Made once for each field, so that a missing bound is reported once.
#[derive(Debug)]
pub struct Field<T> {
    key: &'static str,
    write: fn(&T) -> Option<String>,
    read: fn(&str) -> Option<T>,
}

/// A field that travels as text.
pub const fn text_field<T: Parameter>(key: &'static str) -> Field<T> {
    Field {
        key,
        write: |value| Some(value.to_string()),
        read: |text| text.parse().ok(),
    }
}

/// A field that travels as JSON. What JSON cannot express is left out: the error then arrives as the catch-all variant.
#[cfg(feature = "json")]
pub const fn json_field<T: super::SerdeMessage>(key: &'static str) -> Field<T> {
    Field {
        key,
        write: |value| serde_json::to_string(value).ok(),
        read: |text| serde_json::from_str(text).ok().map(|Bounded(value)| value),
    }
}

impl<T> Field<T> {
    /// Adds the field to a status.
    pub fn write(&self, status: Status, value: &T) -> Status {
        match (self.write)(value) {
            Some(text) => status.with_parameter(self.key, text),
            None => status,
        }
    }

    /// The same, if there is a value.
    pub fn write_optional(&self, status: Status, value: Option<&T>) -> Status {
        match value {
            Some(value) => self.write(status, value),
            None => status,
        }
    }

    /// Reads the field; `None` if it is missing or not what its type accepts.
    pub fn read(&self, status: &Status) -> Option<T> {
        (self.read)(self.find(status)?)
    }

    /// The same for a field that may be missing: the outer `None` says that it is there and was not understood.
    #[allow(clippy::option_option, reason = "two questions, two answers")]
    pub fn read_optional(&self, status: &Status) -> Option<Option<T>> {
        match self.find(status) {
            Some(text) => (self.read)(text).map(Some),
            None => Some(None),
        }
    }

    fn find<'a>(&self, status: &'a Status) -> Option<&'a str> {
        let parameters = &status.error_info()?.metadata;
        parameters
            .iter()
            .find(|(name, _)| name == self.key)
            .map(|(_, value)| value.as_ref())
    }
}
