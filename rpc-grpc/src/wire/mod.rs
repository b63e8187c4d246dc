//! The codings of gRPC over HTTP/2: pure functions from values to headers and bytes, and back.
//!
//! Nothing in here reads a socket, knows a stream or waits, so all of it is tested, and fuzzed, on its own. Whatever
//! comes from a peer is bounded before memory is spent on it.

pub(crate) mod compress;
pub(crate) mod content_type;
pub(crate) mod frame;
pub(crate) mod headers;
pub(crate) mod names;
pub(crate) mod percent;
pub(crate) mod status;
pub(crate) mod timeout;
pub(crate) mod tolerance;
