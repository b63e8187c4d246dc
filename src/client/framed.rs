//! What a client builder says of the framed transport, and the choice between it and gRPC.

use rpc_core::{BuildError, net::Dialer};
use rpc_framed::{ClientConfig, FramedTransport};
#[cfg(feature = "grpc")]
use {
    rpc_core::{
        net::Address,
        transport::{Link, Transport},
    },
    std::sync::Arc,
};

use super::ClientBuilder;

/// The framed protocol has 16 bits for the length of metadata.
#[cfg(feature = "grpc")]
const MOST_METADATA: usize = (1 << 16) - 1;

/// When the framed protocol is spoken, and how.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) config: Option<ClientConfig>,
    /// `None`: where an instance lists it.
    pub(super) preferred: Option<bool>,
}

impl Choice {
    /// The builder's method that said something.
    pub(super) fn field(&self) -> Option<&'static str> {
        match (&self.config, self.preferred) {
            (Some(_), _) => Some("framed"),
            (None, Some(_)) => Some("prefer_framed"),
            (None, None) => None,
        }
    }

    /// True if it is spoken where a target does not say what is.
    #[cfg(feature = "grpc")]
    pub(super) fn is_first(&self) -> bool {
        self.preferred == Some(true)
    }

    /// The transport, unless it is not wanted.
    pub(super) fn transport(
        &self,
        #[cfg(feature = "grpc")] grpc: Option<&rpc_grpc::ClientConfig>,
        dialer: Dialer,
    ) -> Result<Option<FramedTransport>, BuildError> {
        if self.preferred == Some(false) {
            if self.config.is_some() {
                let problem = "has no meaning together with `prefer_framed(false)`: leave one of both out";
                return Err(BuildError::new("framed", problem));
            }
            return Ok(None);
        }
        #[cfg(feature = "grpc")]
        let usual = || grpc.map(like).transpose();
        #[cfg(not(feature = "grpc"))]
        let usual = || Ok::<_, BuildError>(None);
        let config = match &self.config {
            Some(config) => config.clone(),
            None => usual()?.unwrap_or_default(),
        };
        FramedTransport::with_dialer(config, dialer).map(Some)
    }
}

/// Settings that say the same of both protocols: who sets a limit for one means the other as well.
#[cfg(feature = "grpc")]
fn like(grpc: &rpc_grpc::ClientConfig) -> Result<ClientConfig, BuildError> {
    if grpc.max_metadata_bytes > MOST_METADATA {
        let problem = "the framed protocol takes 64 KiB - 1 at most: say less, leave it out with `prefer_framed(false)`, or \
                       give it settings of its own with `framed`";
        return Err(BuildError::new("max_metadata_bytes", problem));
    }
    let mut config = ClientConfig::default();
    config.max_message_bytes = grpc.max_message_bytes;
    config.max_send_message_bytes = grpc.max_send_message_bytes;
    config.max_metadata_bytes = grpc.max_metadata_bytes;
    config.link = grpc.link.clone();
    config.compression = grpc
        .compression
        .and_then(|compression| rpc_framed::Compression::of_name(compression.name()));
    Ok(config)
}

/// Both protocols: framed where the instance lists it, or everywhere, and gRPC where it does not or cannot.
#[cfg(feature = "grpc")]
pub(super) struct Both {
    framed: FramedTransport,
    grpc: Arc<dyn Transport>,
    framed_first: bool,
}

#[cfg(feature = "grpc")]
impl Both {
    pub(super) fn new(framed: FramedTransport, grpc: rpc_grpc::GrpcTransport, framed_first: bool) -> Self {
        let grpc: Arc<dyn Transport> = Arc::new(grpc);
        Self {
            framed: framed.with_fallback(Arc::clone(&grpc)),
            grpc,
            framed_first,
        }
    }
}

#[cfg(feature = "grpc")]
impl Transport for Both {
    fn protocol(&self) -> &'static str {
        if self.framed_first {
            self.framed.protocol()
        } else {
            self.grpc.protocol()
        }
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        self.link_by(self.protocol(), address)
    }

    fn protocols(&self) -> &[&'static str] {
        &["framed", "grpc"]
    }

    fn is_secure(&self) -> Option<bool> {
        self.grpc.is_secure()
    }

    fn link_by(&self, protocol: &str, address: &Address) -> Arc<dyn Link> {
        if protocol == self.framed.protocol() {
            self.framed.link(address)
        } else {
            self.grpc.link(address)
        }
    }
}

/// The framed protocol.
impl ClientBuilder {
    /// Settings of the framed transport. Default: those that [`grpc`](Self::grpc) was given and that mean the same.
    pub fn framed(mut self, config: ClientConfig) -> Self {
        self.transport.framed.config = Some(config);
        self
    }

    /// Whether to speak the framed protocol. Default: with instances that list it. `true`: also where a target does not say
    /// what is spoken, as an address does not; a server that turns out not to speak it is called over gRPC, and no call
    /// fails for that. `false`: never.
    pub fn prefer_framed(mut self, prefer: bool) -> Self {
        self.transport.framed.preferred = Some(prefer);
        self
    }
}
