//! Addresses, dialling, listening, TLS: shared by the transports that use sockets.
//!
//! What a transport should not have to know is here: which of a name's addresses answers first, how a stale socket file
//! is told from a live one, what a listener does when the process runs out of file descriptors, and what TLS agreed on.
//! A transport gets a byte stream ([`Io`](crate::transport::Io)) and two addresses.

mod address;
pub mod dial;
pub mod listen;
mod socket;
#[cfg(feature = "tls")]
pub mod tls;

pub use self::{
    address::{Address, InvalidAddress},
    dial::{Dialed, Dialer},
    listen::{BindError, ListenConfig, Listener},
    socket::SocketOptions,
};
