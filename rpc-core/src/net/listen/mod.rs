//! Listening: from a socket to a transport that serves the connection.
//!
//! The accept loop does nothing but accept: each connection gets a task at once, and whatever may take time (the bytes that
//! tell the protocol, a TLS handshake) happens in there, under [`ListenConfig::handshake_timeout`]. So a slow peer holds
//! up nobody else.
//!
//! Which transport serves a connection is asked of the transports, in the order in which they were given: without TLS by
//! at most 24 of the first bytes, as many as HTTP/2's preface has; with TLS by what ALPN agreed on. A connection that none
//! of them knows is closed.
//!
//! # Stop
//! Until [`DrainPhase::Draining`] everything is accepted. Then the sockets are closed, so that new connections are
//! refused by the system; connections on which no protocol is spoken yet are closed, as nothing was asked on them; the
//! others are the transports' to end.

mod accept;
mod bind;
mod linger;
mod open;
mod prefixed;
#[cfg(unix)]
mod unix;

use std::{
    fmt::{self, Debug},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Semaphore, task::JoinSet};

pub use self::bind::BindError;
use self::{accept::Held, bind::Socket, open::Opener};
#[cfg(feature = "tls")]
use super::tls::ServerTls;
use super::{Address, SocketOptions};
#[cfg(doc)]
use crate::transport::DrainPhase;
use crate::{
    server::Dispatch,
    transport::{Drain, ServerTransport},
};

/// What a listener allows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListenConfig {
    /// Connections at once, over all addresses. Default: 65,536. What comes above that is accepted and closed at once,
    /// so that a client learns soon that it must go elsewhere. A client of ours has one, or over gRPC up to four while it calls
    /// thousands of times a second.
    pub max_connections: usize,
    /// How long a connection may take to say what it speaks, TLS included. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Options of the accepted TCP sockets.
    pub socket: SocketOptions,
    /// TLS on every TCP and unix socket. Default: none.
    #[cfg(feature = "tls")]
    pub tls: Option<ServerTls>,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            max_connections: 65_536,
            handshake_timeout: Duration::from_secs(10),
            socket: SocketOptions::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// Sockets that are bound. Connections queue up from now on, and are served by [`serve`](Self::serve).
///
/// Dropping it closes the sockets and removes the files of unix ones.
#[derive(Debug)]
#[must_use = "a listener that is dropped is closed"]
pub struct Listener {
    sockets: Vec<Socket>,
    config: ListenConfig,
}

impl Listener {
    /// Binds all of the addresses, or none.
    ///
    /// A host's name stands for the first of its addresses that can be bound; port 0 for a free port. A unix socket's
    /// file may be there already if nobody listens on it any more; it is then replaced.
    ///
    /// `[::]` takes IPv4 too where the system says so, as Linux does; beside `0.0.0.0` with the same port it takes none.
    ///
    /// # Errors
    /// If an address cannot be bound, or none is given.
    pub async fn bind(addresses: &[Address], config: ListenConfig) -> Result<Self, BindError> {
        if addresses.is_empty() {
            return Err(BindError::nothing());
        }
        let mut sockets = Vec::with_capacity(addresses.len());
        for address in addresses {
            sockets.push(
                Socket::bind(address, addresses)
                    .await
                    .map_err(|error| BindError::new(address, error))?,
            );
        }
        Ok(Self { sockets, config })
    }

    /// The addresses as they are bound, with their real ports, in the order in which they were given.
    pub fn local_addresses(&self) -> Vec<Address> {
        self.sockets.iter().map(Socket::address).collect()
    }

    /// Serves connections until the drain has ended them. See the [module](self) on how it stops.
    ///
    /// # Cancellation
    /// Dropping the future closes the sockets: their addresses are free at once. Every connection is broken off as soon as the
    /// runtime gets to it.
    pub async fn serve(self, transports: Vec<Arc<dyn ServerTransport>>, dispatch: Dispatch, drain: Drain) {
        let max_connections = self.config.max_connections.min(Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared {
            opener: Opener::new(transports, &self.config),
            dispatch,
            drain,
            room: Arc::new(Semaphore::new(max_connections)),
        });
        let mut accepting = JoinSet::new();
        // Dropped with this future, and with them go the sockets.
        let mut open: Vec<Box<dyn Send>> = Vec::new();
        for socket in self.sockets {
            match socket {
                Socket::Tcp(listener) => {
                    let acceptor = bind::TcpAcceptor {
                        listener,
                        options: self.config.socket.clone(),
                    };
                    let (acceptor, held) = Held::twice(acceptor);
                    accepting.spawn(accept::run(acceptor, Arc::clone(&shared)));
                    open.push(Box::new(held));
                }
                #[cfg(unix)]
                Socket::Unix(acceptor) => {
                    let (acceptor, held) = Held::twice(acceptor);
                    accepting.spawn(accept::run(acceptor, Arc::clone(&shared)));
                    open.push(Box::new(held));
                }
            }
        }
        while let Some(ended) = accepting.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "an accept loop failed");
            }
        }
    }
}

/// What the tasks of a listener share.
struct Shared {
    opener: Opener,
    dispatch: Dispatch,
    drain: Drain,
    /// One permit a connection.
    room: Arc<Semaphore>,
}

impl Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("dispatch", &self.dispatch)
            .finish_non_exhaustive()
    }
}
