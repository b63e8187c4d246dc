//! Where a peer is.

use std::{error::Error, fmt, net::SocketAddr, path::Path, str::FromStr, sync::Arc};

/// Where a peer is. Cheap to clone.
///
/// ```
/// use rpc_core::net::Address;
///
/// let address: Address = "shop.internal:50051".parse()?;
/// assert_eq!(address.to_string(), "shop.internal:50051");
/// let address: Address = "unix:/run/shop.sock".parse()?;
/// assert_eq!(address.to_string(), "unix:/run/shop.sock");
/// # Ok::<(), rpc_core::net::InvalidAddress>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and a port.
    Socket(SocketAddr),
    /// A host's name and a port; the name is looked up when a connection is made.
    Host(Arc<str>, u16),
    /// A unix socket.
    Unix(Arc<Path>),
    /// A service in this process, by name.
    Local(Arc<str>),
}

impl Address {
    /// What HTTP calls the authority: `host:port`; `localhost` for a unix socket and in process.
    pub fn authority(&self) -> String {
        match self {
            Self::Socket(_) | Self::Host(..) => self.to_string(),
            Self::Unix(_) | Self::Local(_) => "localhost".to_owned(),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Socket(address)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    /// Reads `1.2.3.4:80`, `[::1]:80`, `host:80`, `unix:/path` or `local:name`.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.chars().take(256).collect());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(invalid())
            } else {
                Ok(Self::Unix(Path::new(path).into()))
            };
        }
        if let Some(name) = text.strip_prefix("local:") {
            let name = name.trim_start_matches('/');
            return if name.is_empty() {
                Err(invalid())
            } else {
                Ok(Self::Local(name.into()))
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Socket(address));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        if host.is_empty() || host.len() > 253 || !host.bytes().all(is_host) {
            return Err(invalid());
        }
        Ok(Self::Host(host.into(), port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Local(name) => write!(f, "local:{name}"),
        }
    }
}

/// A text that is no address.
#[derive(Debug, Clone)]
pub struct InvalidAddress(String);

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.0;
        write!(
            f,
            "`{text}` is not an address: write `1.2.3.4:80`, `[::1]:80`, `host:80`, `unix:/path` or `local:name`"
        )
    }
}

impl Error for InvalidAddress {}
