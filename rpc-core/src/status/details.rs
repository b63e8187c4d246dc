//! Details: what a status says to machines.

use std::borrow::Cow;

use bytes::Bytes;

/// `google.rpc.ErrorInfo`: the machine-readable reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorInfo {
    /// `UPPER_SNAKE_CASE`, at most 63 characters.
    pub reason: Cow<'static, str>,
    /// Whose vocabulary it is of.
    pub domain: Cow<'static, str>,
    /// Parameters.
    pub metadata: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

/// One detail: a message with the URL of its type, `google.protobuf.Any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// `type.googleapis.com/google.rpc.RetryInfo`.
    pub type_url: Cow<'static, str>,
    /// The message, encoded as protobuf.
    pub value: Bytes,
}
