//! From an address to a socket that listens.

use std::{
    error::Error,
    fmt, io,
    net::{SocketAddr, SocketAddrV6},
    sync::Arc,
    task::{Context, Poll, ready},
};

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::accept::{Acceptor, Incomer};
#[cfg(unix)]
use super::unix::UnixAcceptor;
use crate::net::{Address, SocketOptions};

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixAcceptor),
}

impl Socket {
    /// Binds one address of several.
    pub(super) async fn bind(address: &Address, all: &[Address]) -> io::Result<Self> {
        match address {
            Address::Socket(SocketAddr::V6(socket)) if leaves_ipv4(socket, all) => {
                Ok(Self::Tcp(bind_ipv6_only(*socket)?))
            }
            Address::Socket(socket) => Ok(Self::Tcp(TcpListener::bind(socket).await?)),
            Address::Host(host, port) => Ok(Self::Tcp(TcpListener::bind((&**host, *port)).await?)),
            #[cfg(unix)]
            Address::Unix(path) => Ok(Self::Unix(UnixAcceptor::bind(path).await?)),
            #[cfg(not(unix))]
            Address::Unix(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this system has no unix sockets",
            )),
            Address::Local(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a service in this process needs no socket",
            )),
        }
    }

    pub(super) fn address(&self) -> Address {
        match self {
            Self::Tcp(listener) => Address::Socket(
                listener
                    .local_addr()
                    .expect("a socket that listens has an address"),
            ),
            #[cfg(unix)]
            Self::Unix(acceptor) => acceptor.address(),
        }
    }
}

/// True if IPv4 is another socket's: `[::]` takes that as well on most systems, and then `0.0.0.0` could not be bound beside it.
fn leaves_ipv4(address: &SocketAddrV6, all: &[Address]) -> bool {
    let takes_ipv4 = |other: &Address| match other {
        Address::Socket(SocketAddr::V4(other)) => {
            other.ip().is_unspecified() && other.port() == address.port()
        }
        _ => false,
    };
    // Port 0 is another one for each.
    address.ip().is_unspecified() && address.port() != 0 && all.iter().any(takes_ipv4)
}

/// What [`TcpListener::bind`] does, and no IPv4.
fn bind_ipv6_only(address: SocketAddrV6) -> io::Result<TcpListener> {
    const BACKLOG: u32 = 1024;
    let socket = TcpSocket::new_v6()?;
    SockRef::from(&socket).set_only_v6(true)?;
    // Elsewhere it would let two processes have the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address.into())?;
    socket.listen(BACKLOG)
}

pub(super) struct TcpAcceptor {
    pub(super) listener: TcpListener,
    pub(super) options: SocketOptions,
}

impl Acceptor for TcpAcceptor {
    type Io = TcpStream;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Incomer<TcpStream>>> {
        let (io, peer) = ready!(self.listener.poll_accept(cx))?;
        self.options.apply(&io);
        let local = io.local_addr().ok().map(Address::Socket);
        Poll::Ready(Ok(Incomer {
            io,
            local,
            peer: Some(Address::Socket(peer)),
        }))
    }
}

/// An address could not be bound.
#[derive(Debug, Clone)]
pub struct BindError {
    address: Option<Address>,
    source: Arc<io::Error>,
}

impl BindError {
    pub(super) fn new(address: &Address, error: io::Error) -> Self {
        Self {
            address: Some(address.clone()),
            source: Arc::new(error),
        }
    }

    pub(super) fn nothing() -> Self {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "no address to listen on was given");
        Self {
            address: None,
            source: Arc::new(error),
        }
    }

    /// The address; `None` if none was given.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// What the system said: [`io::ErrorKind::AddrInUse`], say.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "cannot listen on {address}: {}", self.source),
            None => self.source.fmt(f),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
