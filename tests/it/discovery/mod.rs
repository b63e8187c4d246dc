//! From the registry to the call, and back: servers that are announced, clients that find them.

mod announce;
mod away;
mod groups;
mod near;
mod routing;
mod several;
mod support;
#[cfg(feature = "tls")]
mod tls;
