//! Compression of single messages, by name. What transports announce and how they mark a message is theirs.
//!
//! Each message is compressed on its own; nothing is remembered across messages. Inflating is bounded by the limit of a
//! message, so a few bytes that stand for gigabytes cost what the limit allows and no more.

#[cfg(feature = "gzip")]
mod bounded;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(test)]
mod tests;
#[cfg(feature = "zstd")]
mod zstd;

use bytes::{Bytes, BytesMut};

use crate::{Status, status::reason};

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

    /// Appends the compressed message to the buffer.
    ///
    /// # Errors
    /// INTERNAL with reason `MESSAGE_UNENCODABLE` if the library fails, for want of memory say.
    pub fn deflate(self, message: &[u8], out: &mut BytesMut) -> Result<(), Status> {
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
    /// RESOURCE_EXHAUSTED if it is larger than the limit, INTERNAL with reason `PROTOCOL_BROKEN` if it is malformed.
    pub fn inflate(self, compressed: &[u8], limit_bytes: usize) -> Result<Bytes, Status> {
        let _ = (compressed, limit_bytes);
        match self {
            #[cfg(feature = "gzip")]
            Self::Gzip => gzip::inflate(compressed, limit_bytes),
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::inflate(compressed, limit_bytes),
        }
    }
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
        .with_reason(reason::PROTOCOL_BROKEN)
        .with_domain(reason::DOMAIN)
}
