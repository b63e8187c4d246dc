//! The client's side: links to addresses, connections that come and go, calls that do not notice.
//!
//! A [`FramedTransport`] makes a link for each address, and [`supervise`](rpc_core::transport::supervise) keeps its connections.
//! A call picks one of them, takes a slot, appends its request to the connection's queue and waits for its answer; it passes
//! no channel and starts no task. A call that is alone writes its request itself.
//!
//! | part | what it does |
//! | --- | --- |
//! | `protocol` | what a link has to know: how to connect, and how to attempt a call |
//! | `connection` | one connection: its task, its slots |
//! | `slab` | slots by number, without a lock around them |
//! | `exchange`, `reply` | one attempt: request and answer |

mod config;
mod connection;
mod exchange;
mod protocol;
mod reply;
mod slab;

use std::{fmt, sync::Arc};

use rpc_core::{
    BuildError,
    net::{Address, Dialer},
    transport::{
        Link, Transport,
        supervise::{Connect, SupervisedLink},
    },
};

pub use self::config::ClientConfig;
use self::protocol::Framed;

/// What the slab is made of; a model of all interleavings puts others in their place.
mod sync {
    pub(super) use std::sync::{
        Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering},
    };
}

/// The framed protocol, from the client's side. Cheap to clone.
///
/// A link that it makes connects when it is first called, or told to, and again when a connection is lost, with back-off. A
/// connection that the server closes gracefully fails no call: those that the server took go on, the others are sent again
/// on the next connection. [`Link::close`] lets calls go on to their end, even if the link is dropped after it; dropping a
/// link that was not closed breaks them off.
///
/// Links need a tokio runtime to be called in.
///
/// ```no_run
/// use rpc_core::transport::{Link, Transport};
/// use rpc_framed::{ClientConfig, FramedTransport};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = ClientConfig::default();
/// config.max_message_bytes = 16 << 20;
/// let transport = FramedTransport::new(config)?;
/// let link = transport.link(&"shop.internal:50051".parse()?);
/// link.connect();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FramedTransport {
    config: Arc<ClientConfig>,
    connector: Arc<dyn Connect>,
    fallback: Option<Arc<dyn Transport>>,
}

impl FramedTransport {
    /// Connects over TCP and unix sockets, without TLS.
    ///
    /// # Errors
    /// If a setting cannot work; it names the field.
    pub fn new(config: ClientConfig) -> Result<Self, BuildError> {
        Self::with_dialer(config, Dialer::new())
    }

    /// Connects with a dialer of yours: its TLS, its socket options. The connect timeout is the configuration's, and the
    /// protocol is offered by itself.
    ///
    /// # Errors
    /// If a setting cannot work; it names the field.
    pub fn with_dialer(config: ClientConfig, dialer: Dialer) -> Result<Self, BuildError> {
        dialer.check()?;
        let dialer = dialer
            .with_connect_timeout(config.link.connect_timeout)
            .with_alpn(crate::ALPN);
        Self::with_connector(config, Arc::new(dialer))
    }

    /// Connects in a way of yours: in memory, through a tunnel.
    ///
    /// # Errors
    /// If a setting cannot work; it names the field.
    pub fn with_connector(config: ClientConfig, connector: Arc<dyn Connect>) -> Result<Self, BuildError> {
        config.check()?;
        Ok(Self {
            config: Arc::new(config),
            connector,
            fallback: None,
        })
    }

    /// Calls over another transport where a server turns out not to speak this protocol. No call fails for that: it is
    /// found out before anything is sent. The link stays with the other transport until the server has learnt this protocol,
    /// which it is asked whenever the other one has connected anew, at most every 10 s.
    pub fn with_fallback(mut self, transport: Arc<dyn Transport>) -> Self {
        self.fallback = Some(transport);
        self
    }
}

impl Transport for FramedTransport {
    fn protocol(&self) -> &'static str {
        crate::PROTOCOL
    }

    fn is_secure(&self) -> Option<bool> {
        Some(self.connector.is_secure())
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        let protocol = Framed {
            config: Arc::clone(&self.config),
            connector: Arc::clone(&self.connector),
        };
        Arc::new(SupervisedLink::new(
            address.clone(),
            protocol,
            self.fallback.clone(),
        ))
    }
}

impl fmt::Debug for FramedTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramedTransport")
            .field("config", &self.config)
            .field("fallback", &self.fallback.as_ref().map(|other| other.protocol()))
            .finish_non_exhaustive()
    }
}
