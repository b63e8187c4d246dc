//! Keys, and what is refused as one.

use std::{borrow::Cow, error::Error, fmt};

use http::HeaderName;

/// Keys that carry the protocol itself. `grpc-` as a prefix is reserved too, but for what [`is_reserved`] lets by.
const RESERVED: [&str; 12] = [
    "content-type",
    "te",
    "user-agent",
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "trailer",
    "http2-settings",
];

/// The name of an entry: lower-case, `[0-9a-z_.-]+`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MetadataKey(HeaderName);

impl MetadataKey {
    /// A key for text.
    ///
    /// # Errors
    /// If it is not `[0-9a-z_.-]+`, is reserved, or ends in `-bin`.
    pub fn text(key: &str) -> Result<Self, InvalidMetadata> {
        if key.ends_with("-bin") {
            return Err(InvalidMetadata::new(
                key,
                "ends in `-bin`, which is for bytes: use `insert_bin`",
            ));
        }
        Self::checked(key)
    }

    /// A key for bytes.
    ///
    /// # Errors
    /// If it is not `[0-9a-z_.-]+` with `-bin` at its end, or is reserved.
    pub fn binary(key: &str) -> Result<Self, InvalidMetadata> {
        if !key.ends_with("-bin") {
            return Err(InvalidMetadata::new(key, "carries bytes and must end in `-bin`"));
        }
        Self::checked(key)
    }

    /// Takes over a header's name as it came off the wire.
    #[doc(hidden)]
    pub fn from_header(name: HeaderName) -> Self {
        Self(name)
    }

    /// The name as a header's.
    #[doc(hidden)]
    pub fn as_header(&self) -> &HeaderName {
        &self.0
    }

    /// The key, lower-case.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// True if it carries bytes.
    pub fn is_binary(&self) -> bool {
        self.as_str().ends_with("-bin")
    }

    /// True if the protocol keeps this key for itself: transports drop it from what users set and what users see.
    pub fn is_reserved(key: &str) -> bool {
        if let Some(rest) = key.strip_prefix("grpc-") {
            return !matches!(rest, "previous-rpc-attempts" | "retry-pushback-ms");
        }
        key.starts_with(':') || RESERVED.contains(&key)
    }

    fn checked(key: &str) -> Result<Self, InvalidMetadata> {
        let is_legal =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-');
        if key.is_empty() || !key.bytes().all(is_legal) {
            return Err(InvalidMetadata::new(
                key,
                "is not a key: write lower-case letters, digits, `_`, `.` and `-`",
            ));
        }
        if Self::is_reserved(key) {
            return Err(InvalidMetadata::new(key, "is reserved for the protocol"));
        }
        let name = HeaderName::from_bytes(key.as_bytes())
            .map_err(|_| InvalidMetadata::new(key, "is too long for a key"))?;
        Ok(Self(name))
    }
}

impl fmt::Debug for MetadataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A key or a value that metadata cannot carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMetadata {
    subject: String,
    problem: Cow<'static, str>,
}

impl InvalidMetadata {
    pub(super) fn new(subject: &str, problem: &'static str) -> Self {
        let mut subject = subject.to_owned();
        if let Some((end, _)) = subject.char_indices().nth(64) {
            subject.truncate(end);
        }
        Self {
            subject,
            problem: Cow::Borrowed(problem),
        }
    }
}

impl fmt::Display for InvalidMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metadata `{}` {}", self.subject.escape_default(), self.problem)
    }
}

impl Error for InvalidMetadata {}
