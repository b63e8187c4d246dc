//! From an address to a connection.
//!
//! A name may have many addresses, and some of them may be dead: a family that is not routed, a machine that is off. They
//! are tried as RFC 8305 ("happy eyeballs") says: both families by turns, the next one after a quarter of a second or as
//! soon as the one before has failed, and the first connection wins. Waiting for each attempt to time out in turn was
//! rejected: one unrouted address would cost every connect its whole timeout.
//!
//! Only the TCP connect takes part in the race. A TLS handshake that fails means a wrong certificate or protocol far more
//! often than a dead address, and the next address would hide it.

mod failure;
mod net;
mod race;

use std::time::Duration;

use tokio::time::Instant;

use self::{
    failure::{Failure, Tried},
    net::{Net, System},
};
#[cfg(feature = "tls")]
use super::tls::ClientTls;
use super::{Address, SocketOptions};
use crate::{BuildError, Deadline, Status, status::Side, transport::Io};

/// Makes connections. Cheap to clone.
///
/// ```no_run
/// use std::time::Duration;
/// use rpc_core::net::Dialer;
///
/// # async fn doc() -> Result<(), Box<dyn std::error::Error>> {
/// let dialer = Dialer::new().with_connect_timeout(Duration::from_secs(5));
/// let dialed = dialer.dial(&"shop.internal:50051".parse()?).await?;
/// println!("connected to {:?}", dialed.peer);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a dialer does nothing until it dials"]
pub struct Dialer {
    connect_timeout: Duration,
    attempt_delay: Duration,
    socket: SocketOptions,
    alpn: Vec<&'static [u8]>,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
}

/// A connection that was made.
#[non_exhaustive]
pub struct Dialed {
    /// The bytes, inside TLS if there is any.
    pub io: Box<dyn Io>,
    /// Our end.
    pub local: Option<Address>,
    /// The address that answered, of those that the name has.
    pub peer: Option<Address>,
    /// The protocol that TLS agreed on; `None` without TLS.
    pub alpn: Option<Vec<u8>>,
    /// True if TLS protects it.
    pub secure: bool,
    /// True if a write that fails may have passed on a part of what it was given, as TLS does it: calls that were in it count as sent
    /// then. False of a socket, which takes nothing where it fails.
    pub fails_late: bool,
}

impl Dialed {
    /// A byte stream of your own making, as if it had been dialled: no addresses, no TLS; and nothing is known of what it took where a
    /// write fails.
    pub fn new(io: Box<dyn Io>) -> Self {
        Self {
            io,
            local: None,
            peer: None,
            alpn: None,
            secure: false,
            fails_late: true,
        }
    }
}

impl Dialer {
    /// A dialer with the defaults: 20 s for a connect, 250 ms between two addresses, no TLS.
    pub fn new() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            attempt_delay: Duration::from_millis(250),
            socket: SocketOptions::default(),
            alpn: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets how long a dial may take in all: lookup, every address, TLS. Default: 20 s.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long one address is tried alone before the next one is tried beside it. Default: 250 ms. Values outside
    /// 100 ms to 2 s are brought inside: less floods a slow network, more makes the race pointless.
    pub fn with_attempt_delay(mut self, delay: Duration) -> Self {
        self.attempt_delay = delay.clamp(Duration::from_millis(100), Duration::from_secs(2));
        self
    }

    /// Sets the options of the sockets.
    pub fn with_socket(mut self, options: SocketOptions) -> Self {
        self.socket = options;
        self
    }

    /// Adds a protocol that TLS offers, in order of preference. The peer must agree on one of them.
    pub fn with_alpn(mut self, protocol: &'static [u8]) -> Self {
        self.alpn.reserve_exact(1);
        self.alpn.push(protocol);
        self
    }

    /// Protects the connections by TLS.
    #[cfg(feature = "tls")]
    pub fn with_tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// True if TLS protects what it dials.
    pub fn is_secure(&self) -> bool {
        #[cfg(feature = "tls")]
        let secure = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let secure = false;
        secure
    }

    /// Finds what cannot work: the transports do so when they are made with it.
    ///
    /// # Errors
    /// Names the field: `socket.keepalive`.
    pub fn check(&self) -> Result<(), BuildError> {
        self.socket.check()
    }

    /// Connects to an address.
    ///
    /// # Errors
    /// UNAVAILABLE with reason `CONNECT_FAILED`, not processed. The text says what happened to each address that was
    /// tried.
    ///
    /// # Cancellation
    /// Dropping the future closes whatever was being connected.
    pub async fn dial(&self, address: &Address) -> Result<Dialed, Status> {
        self.dial_by(&System { socket: &self.socket }, address).await
    }

    async fn dial_by(&self, net: &impl Net, address: &Address) -> Result<Dialed, Status> {
        let deadline = Deadline::after(self.connect_timeout).instant();
        let connected = match address {
            Address::Socket(socket) => self.race(net, &[*socket], deadline).await,
            Address::Host(host, port) => match self.lookup(net, host, *port, deadline).await {
                Ok(addresses) => self.race(net, &addresses, deadline).await,
                Err(failure) => Err(failure),
            },
            Address::Unix(path) => net::connect_unix(path, deadline).await.map_err(Failure::Connect),
            Address::Local(_) => Err(Failure::Local),
        };
        let result = match connected {
            Ok(dialed) => self.protect(dialed, address, deadline).await,
            Err(failure) => Err(failure),
        };
        result.map_err(|failure| {
            let local = matches!(failure, Failure::Local);
            let side = if local { Side::Client } else { Side::Network };
            failure
                .into_status(address, self.connect_timeout)
                .at_side(side)
                .at_addresses(None, Some(address))
        })
    }

    async fn lookup(
        &self,
        net: &impl Net,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<Vec<std::net::SocketAddr>, Failure> {
        match tokio::time::timeout_at(deadline, net.lookup(host, port)).await {
            Err(_) => Err(Failure::Lookup(None)),
            Ok(Err(error)) => Err(Failure::Lookup(Some(error))),
            Ok(Ok(addresses)) if addresses.is_empty() => Err(Failure::NoAddress),
            Ok(Ok(addresses)) => Ok(race::interleave(addresses)),
        }
    }

    async fn race(
        &self,
        net: &impl Net,
        addresses: &[std::net::SocketAddr],
        deadline: Instant,
    ) -> Result<Dialed, Failure> {
        race::race(addresses, self.attempt_delay, deadline, |address| {
            net.connect(address)
        })
        .await
        .map_err(|tried: Vec<Tried>| Failure::Race {
            tried,
            of: addresses.len(),
        })
    }

    #[cfg(feature = "tls")]
    async fn protect(&self, dialed: Dialed, address: &Address, deadline: Instant) -> Result<Dialed, Failure> {
        match &self.tls {
            Some(tls) => tls
                .handshake(&self.alpn)
                .run(dialed, address, deadline)
                .await
                .map_err(Failure::Tls),
            None => Ok(dialed),
        }
    }

    #[cfg(not(feature = "tls"))]
    #[allow(
        clippy::unused_async,
        reason = "it awaits the handshake where the feature is on"
    )]
    async fn protect(&self, dialed: Dialed, _: &Address, _: Instant) -> Result<Dialed, Failure> {
        Ok(dialed)
    }
}

impl Default for Dialer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Dialed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialed")
            .field("local", &self.local)
            .field("peer", &self.peer)
            .field("alpn", &self.alpn.as_deref().map(String::from_utf8_lossy))
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
