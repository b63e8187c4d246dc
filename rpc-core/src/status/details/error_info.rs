//! `google.rpc.ErrorInfo`.

use std::borrow::Cow;

use bytes::Bytes;
use prost::Message;

use super::{DetailType, proto};
use crate::Status;

/// The most characters of a reason.
const MAX_REASON_LEN: usize = 63;
/// The most characters of a parameter's key.
const MAX_KEY_LEN: usize = 64;

/// `google.rpc.ErrorInfo`: the machine-readable reason.
///
/// Sent, the reason is cut to 63 characters and each key of a parameter to 64, as others refuse more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorInfo {
    /// `UPPER_SNAKE_CASE`, at most 63 characters.
    pub reason: Cow<'static, str>,
    /// Whose vocabulary it is of.
    pub domain: Cow<'static, str>,
    /// Parameters.
    pub metadata: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl ErrorInfo {
    /// A reason of a vocabulary.
    pub fn new(domain: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason: reason.into(),
            domain: domain.into(),
            metadata: Vec::new(),
        }
    }

    /// Adds a parameter.
    pub fn with_parameter(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.metadata.push((key.into(), value.into()));
        self
    }

    /// The value of a parameter.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.metadata
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_ref())
    }
}

impl DetailType for ErrorInfo {
    const TYPE_URL: &'static str = "type.googleapis.com/google.rpc.ErrorInfo";

    fn to_bytes(&self) -> Bytes {
        let entry = |(key, value): &(Cow<'static, str>, Cow<'static, str>)| proto::Entry {
            key: cut(key, MAX_KEY_LEN).to_owned(),
            value: value.clone().into_owned(),
        };
        let info = proto::ErrorInfo {
            reason: cut(&self.reason, MAX_REASON_LEN).to_owned(),
            domain: self.domain.clone().into_owned(),
            metadata: self.metadata.iter().map(entry).collect(),
        };
        info.encode_to_vec().into()
    }

    fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let info = proto::ErrorInfo::decode(bytes.clone()).ok()?;
        let entry = |entry: proto::Entry| (Cow::Owned(entry.key), Cow::Owned(entry.value));
        Some(Self {
            reason: info.reason.into(),
            domain: info.domain.into(),
            metadata: info.metadata.into_iter().map(entry).collect(),
        })
    }

    fn from_facts(status: &Status) -> Option<Self> {
        status.error_info().cloned()
    }
}

/// The longest start of a text that has at most `max_bytes` bytes.
fn cut(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}
