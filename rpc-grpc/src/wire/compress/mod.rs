//! Compression of single messages, by name.
//!
//! Each message is compressed on its own; nothing is remembered across messages. Inflating is bounded by the limit of a
//! message, so a few bytes that stand for gigabytes cost what the limit allows and no more.

#[cfg(any(feature = "gzip", feature = "zstd"))]
#[cfg(feature = "gzip")]
mod bounded;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use rpc_core::{Status, status::reason};

/// How messages are compressed. Which of these a build knows is a matter of its features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// gzip, by `flate2`: what every peer knows.
    #[cfg(feature = "gzip")]
    Gzip,
    /// Zstandard: smaller and faster where the peer knows it.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Compression {
    /// All that this build knows, in the order of preference.
    pub const ALL: &'static [Self] = &[
        #[cfg(feature = "zstd")]
        Self::Zstd,
        #[cfg(feature = "gzip")]
        Self::Gzip,
    ];

    /// The name on the wire: `gzip`, `zstd`.
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => "gzip",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
        }
    }

    /// The compression of that name, if this build knows it. `identity` is none.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|compression| compression.name() == name)
    }

    /// The name as the value of `grpc-encoding`.
    pub(crate) fn value(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }

    /// Appends the compressed message to the buffer.
    pub(crate) fn deflate(self, message: &[u8], out: &mut BytesMut) -> Result<(), Status> {
        let _ = (message, &out);
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => gzip::deflate(message, out),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::deflate(message, out),
        }
    }

    /// The message that was compressed.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if it is larger than the limit, INTERNAL if it is malformed.
    pub(crate) fn inflate(self, compressed: &[u8], limit_bytes: usize) -> Result<Bytes, Status> {
        let _ = (compressed, limit_bytes);
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => gzip::inflate(compressed, limit_bytes),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::inflate(compressed, limit_bytes),
        }
    }
}

/// What `grpc-encoding` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Absent, or `identity`: no message is compressed.
    Identity,
    /// Messages with flag 1 are compressed like this.
    Known(Compression),
    /// This build does not know it. A server answers UNIMPLEMENTED, a client fails with INTERNAL.
    Unknown,
}

impl Coding {
    /// Reads `grpc-encoding`.
    pub(crate) fn parse(value: Option<&HeaderValue>) -> Self {
        let Some(value) = value else { return Self::Identity };
        match value.to_str().map(str::trim) {
            Ok("identity" | "") => Self::Identity,
            Ok(name) => Compression::of_name(name).map_or(Self::Unknown, Self::Known),
            Err(_) => Self::Unknown,
        }
    }
}

/// The value of `grpc-accept-encoding`: what this build can inflate.
pub(crate) fn accepted() -> HeaderValue {
    HeaderValue::from_static(match (cfg!(feature = "gzip"), cfg!(feature = "zstd")) {
        (true, true) => "identity,gzip,zstd",
        (true, false) => "identity,gzip",
        (false, true) => "identity,zstd",
        (false, false) => "identity",
    })
}

/// Whether a peer that sent this `grpc-accept-encoding` can inflate that. A peer that says nothing cannot.
pub(crate) fn accepts(value: Option<&HeaderValue>, compression: Compression) -> bool {
    value
        .and_then(|value| value.to_str().ok())
        .is_some_and(|list| list.split(',').any(|name| name.trim() == compression.name()))
}

#[allow(dead_code, reason = "a build may know no compression at all")]
fn too_large(limit_bytes: usize) -> Status {
    Status::resource_exhausted(format!(
        "the message is of more than {limit_bytes} bytes when inflated: that is the limit"
    ))
    .with_reason(reason::MESSAGE_TOO_LARGE)
    .with_domain(reason::DOMAIN)
}

#[allow(dead_code, reason = "a build may know no compression at all")]
fn malformed(compression: Compression) -> Status {
    Status::internal(format!("the message does not inflate as {}", compression.name()))
        .with_reason(reason::MESSAGE_MALFORMED)
        .with_domain(reason::DOMAIN)
}
