//! Addresses, dialling, listening: shared by the transports that use sockets.

mod address;

pub use self::address::{Address, InvalidAddress};
