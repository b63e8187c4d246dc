//! The codings: heads, prefaces, metadata, requests, failures. Pure functions, total and bounded; `docs/framed.md` has the
//! format byte by byte.

pub(crate) mod compress;
pub(crate) mod head;
pub(crate) mod metadata;
pub(crate) mod preface;
pub(crate) mod request;
pub(crate) mod status;

use rpc_core::{Status, status::reason};

pub(crate) use self::head::{CallId, HEAD_BYTES, Head, flag, kind};

/// What a GOAWAY says besides its text.
pub(crate) mod goaway {
    /// The peer stops.
    pub(crate) const STOPPING: u16 = 0;
    /// What was sent is no legal frame, comes where it must not, or too often.
    pub(crate) const PROTOCOL: u16 = 1;
    /// The peer does not read.
    pub(crate) const STALLED: u16 = 2;
    /// No version in common.
    pub(crate) const VERSION: u16 = 3;
}

/// A message is too large to be received.
pub(crate) fn too_large(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "the message is of more than {limit} bytes: that is the limit"
    ))
    .with_reason(reason::MESSAGE_TOO_LARGE)
    .with_domain(reason::DOMAIN)
}

/// The peer broke the protocol; what it did is the connection's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);
