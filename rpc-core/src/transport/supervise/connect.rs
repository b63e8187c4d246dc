//! How a byte stream to an address is made.

use crate::{
    BoxFuture, Status,
    net::{Address, Dialed, Dialer},
};

/// Makes the byte streams that links speak over.
///
/// [`Dialer`] does it over TCP, unix sockets and TLS. Implement it for networks of your own, and for tests that run in memory
/// on a clock that stands still.
pub trait Connect: Send + Sync + 'static {
    /// Connects to an address.
    ///
    /// # Errors
    /// UNAVAILABLE, reason `CONNECT_FAILED`, not processed: it is what calls fail with while no connection can be made. A
    /// panic counts as such a failure.
    fn connect<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>>;

    /// True if what it makes is protected by TLS: the scheme of HTTP requests is `https` then.
    fn is_secure(&self) -> bool {
        false
    }
}

impl Connect for Dialer {
    fn connect<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        Box::pin(self.dial(address))
    }

    fn is_secure(&self) -> bool {
        Dialer::is_secure(self)
    }
}
