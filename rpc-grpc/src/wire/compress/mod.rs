//! Which compression a call's messages have, as headers say it.

#[cfg(test)]
mod tests;

use http::HeaderValue;
pub use rpc_core::compress::Compression;

/// The name as the value of `grpc-encoding`.
pub(crate) fn value(compression: Compression) -> HeaderValue {
    HeaderValue::from_static(compression.name())
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
