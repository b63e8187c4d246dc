//! What a transport implements, on either side, and the in-process one.
//!
//! On the client a [`Transport`] makes a [`Link`] for each address: whatever connections that needs, kept alive and made
//! anew. On the server a [`ServerTransport`] serves one accepted connection; the listener that accepted it looked at the
//! first bytes, or at what TLS negotiated, and asked which transport speaks that.
//!
//! [`supervise`] keeps the connections of a link, so that a transport has to know only how one is made and spoken over;
//! [`connection`] has what the task of a server's connection is made of, and [`lifetime`] says how long one lives.

pub mod connection;
pub mod lifetime;
mod link;
pub mod local;
mod serve;
pub mod supervise;

pub use self::{
    link::{Link, LinkState, Transport},
    local::LocalTransport,
    serve::{Accepted, Drain, DrainHandle, DrainPhase, Io, Recognition, ServerTransport},
};
