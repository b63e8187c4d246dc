//! The client's side: links to addresses, connections that come and go, calls that do not notice.
//!
//! A [`GrpcTransport`] makes a link for each address, and [`supervise`](rpc_core::transport::supervise) keeps its connections. A
//! call picks one of them, opens a stream and waits for its answer; it passes no queue and wakes nobody but the connection's
//! *driver*, the task that reads and writes. Only a call that finds the peer's limit of streams reached waits in a queue of
//! ours.
//!
//! | part | what it does |
//! | --- | --- |
//! | `protocol` | what a link has to know: how to connect, and how to attempt a call |
//! | `connection` | one connection: its driver, its free streams, its resets |
//! | `exchange` | one attempt: headers, request, answer |
//!
//! A task per call was rejected, and so was a queue in front of a connection: each costs a wake-up, which is as much as the
//! rest of a small call. A request stream that outlives the call's own future is the one exception: see `exchange::pump`.

mod config;
mod connection;
mod exchange;
mod protocol;

use std::{fmt, sync::Arc};

use http::uri::{Authority, Scheme};
use rpc_core::{
    BuildError,
    net::{Address, Dialer},
    transport::{
        Link, Transport,
        supervise::{Connect, SupervisedLink},
    },
};

pub use self::config::ClientConfig;
use self::{exchange::HeadTemplate, protocol::Grpc};

/// gRPC over HTTP/2, from the client's side. Cheap to clone.
///
/// A link that it makes connects when it is first called, or told to, and again when a connection is lost, with gRPC's
/// back-off. A connection that the server closes gracefully fails no call: those that the server took go on, the others are
/// sent again on the next connection. [`Link::close`] lets calls go on to their end, even if the link is dropped after it;
/// dropping a link that was not closed breaks them off.
///
/// Links need a tokio runtime to be called in. A link that is used from several runtimes lives on the one that woke it up,
/// and wakes up on another when that is gone.
///
/// ```no_run
/// use rpc_core::transport::{Link, Transport};
/// use rpc_grpc::{ClientConfig, GrpcTransport};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = ClientConfig::default();
/// config.max_message_bytes = 16 << 20;
/// let transport = GrpcTransport::new(config)?;
/// let link = transport.link(&"shop.internal:50051".parse()?);
/// link.connect();
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct GrpcTransport {
    config: Arc<ClientConfig>,
    connector: Arc<dyn Connect>,
    authority: Option<Authority>,
    user_agent: http::HeaderValue,
}

impl GrpcTransport {
    /// Connects over TCP and unix sockets, without TLS.
    ///
    /// # Errors
    /// If a setting cannot work; it names the field.
    pub fn new(config: ClientConfig) -> Result<Self, BuildError> {
        Self::with_dialer(config, Dialer::new())
    }

    /// Connects with a dialer of yours: its TLS, its socket options. The connect timeout is the configuration's, and `h2` is
    /// offered by itself.
    ///
    /// # Errors
    /// If a setting cannot work; it names the field.
    pub fn with_dialer(config: ClientConfig, dialer: Dialer) -> Result<Self, BuildError> {
        dialer.check()?;
        let dialer = dialer
            .with_connect_timeout(config.link.connect_timeout)
            .with_alpn(b"h2");
        Self::with_connector(config, Arc::new(dialer))
    }

    /// Connects in a way of yours: in memory, through a tunnel.
    ///
    /// # Errors
    /// If a setting cannot work; it names the field.
    pub fn with_connector(config: ClientConfig, connector: Arc<dyn Connect>) -> Result<Self, BuildError> {
        let authority = config.checked()?;
        let user_agent = config.user_agent_value()?;
        Ok(Self {
            config: Arc::new(config),
            connector,
            authority,
            user_agent,
        })
    }

    fn head_template(&self, address: &Address) -> HeadTemplate {
        let authority = self.authority.clone().unwrap_or_else(|| {
            // An address is written as an authority is; what is not was made by hand, and nobody can be asked for it.
            Authority::from_maybe_shared(address.authority()).unwrap_or(Authority::from_static("localhost"))
        });
        let scheme = if self.connector.is_secure() {
            Scheme::HTTPS
        } else {
            Scheme::HTTP
        };
        HeadTemplate::new(scheme, authority, self.user_agent.clone())
    }
}

impl Transport for GrpcTransport {
    fn protocol(&self) -> &'static str {
        "grpc"
    }

    fn is_secure(&self) -> Option<bool> {
        Some(self.connector.is_secure())
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        let protocol = Grpc {
            head: self.head_template(address),
            config: Arc::clone(&self.config),
            connector: Arc::clone(&self.connector),
            complaints: Arc::default(),
        };
        Arc::new(SupervisedLink::new(address.clone(), protocol, None))
    }
}

impl fmt::Debug for GrpcTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcTransport")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
