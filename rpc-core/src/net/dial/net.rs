//! The two questions that dialling asks the system, so that tests can answer them.

use std::{io, net::SocketAddr, path::Path};

use tokio::{net::TcpStream, time::Instant};

use super::Dialed;
use crate::net::{Address, SocketOptions};

/// Names and connections.
pub(super) trait Net: Sync {
    /// The addresses of a name, best first.
    fn lookup(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A connection to one address.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<Dialed>> + Send;
}

/// The operating system.
pub(super) struct System<'a> {
    pub(super) socket: &'a SocketOptions,
}

impl Net for System<'_> {
    async fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Dialed> {
        let stream = TcpStream::connect(address).await?;
        self.socket.apply(&stream);
        let local = stream.local_addr().ok();
        // The kernel may connect a socket to itself while nobody listens on a port of the ephemeral range.
        if local == Some(address) {
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        }
        Ok(Dialed {
            io: Box::new(stream),
            local: local.map(Address::Socket),
            peer: Some(Address::Socket(address)),
            alpn: None,
            secure: false,
            fails_late: false,
        })
    }
}

#[cfg(unix)]
pub(super) async fn connect_unix(path: &Path, deadline: Instant) -> io::Result<Dialed> {
    let connect = tokio::net::UnixStream::connect(path);
    let stream = tokio::time::timeout_at(deadline, connect)
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    let peer = Some(Address::Unix(path.into()));
    Ok(Dialed {
        io: Box::new(stream),
        local: None,
        peer,
        alpn: None,
        secure: false,
        fails_late: false,
    })
}

#[cfg(not(unix))]
pub(super) async fn connect_unix(_: &Path, _: Instant) -> io::Result<Dialed> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system has no unix sockets",
    ))
}
