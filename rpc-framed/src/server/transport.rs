//! The server's side of the framed transport.

use std::sync::Arc;

use rpc_core::{
    BoxFuture,
    context::Caller,
    server::Dispatch,
    transport::{Accepted, Drain, Recognition, ServerTransport},
};

use super::{ServerConfig, connection::serve};
use crate::wire::preface::MAGIC;

/// Serves connections that speak the framed protocol. Cheap to clone.
#[derive(Debug, Clone)]
pub struct FramedServer {
    config: Arc<ServerConfig>,
}

impl FramedServer {
    /// With these settings. Values that cannot work are brought to the nearest that do; who wants them refused asks
    /// [`ServerConfig::check`] first.
    pub fn new(config: ServerConfig) -> Self {
        Self {
            config: Arc::new(config.within_bounds()),
        }
    }

    /// The settings.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }
}

impl Default for FramedServer {
    fn default() -> Self {
        Self::new(ServerConfig::default())
    }
}

impl ServerTransport for FramedServer {
    fn protocol(&self) -> &'static str {
        crate::PROTOCOL
    }

    fn alpn(&self) -> &'static [u8] {
        crate::ALPN
    }

    fn recognises(&self, prefix: &[u8]) -> Recognition {
        let seen = prefix.len().min(MAGIC.len());
        if prefix[..seen] != MAGIC[..seen] {
            Recognition::No
        } else if seen == MAGIC.len() {
            Recognition::Yes
        } else {
            Recognition::More
        }
    }

    fn serve(&self, connection: Accepted, dispatch: Dispatch, drain: Drain) -> BoxFuture<'static, ()> {
        let Accepted { io, local, peer, .. } = connection;
        let caller = Arc::new(Caller::new(self.protocol()).with_addresses(local, peer));
        serve(io, Arc::clone(&self.config), dispatch, caller, drain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_the_preface_and_nothing_else() {
        let server = FramedServer::default();
        assert_eq!(server.recognises(b""), Recognition::More);
        assert_eq!(server.recognises(b"\xf5rpc"), Recognition::More);
        assert_eq!(server.recognises(&MAGIC), Recognition::Yes);
        assert_eq!(server.recognises(b"PRI * HTTP/2.0"), Recognition::No);
        assert_eq!(server.recognises(b"POST / HTTP/1.1"), Recognition::No);
        assert_eq!(server.recognises(&[0x16, 3, 1]), Recognition::No);
    }
}
