//! What a server builder says of the framed transport.

use std::{sync::Arc, time::Duration};

use rpc_core::{BuildError, transport::ServerTransport};
use rpc_framed::{FramedServer, ServerConfig};

use super::ServerBuilder;

/// The framed protocol has 16 bits for the length of metadata.
const MOST_METADATA: usize = (1 << 16) - 1;

/// Whether the framed protocol is spoken, and how.
#[derive(Debug, Default)]
pub(super) struct Framed {
    config: Option<ServerConfig>,
    off: bool,
}

impl Framed {
    /// Adds the transport, unless it is off. `usual` are the settings where none were given.
    pub(super) fn finish(
        self,
        usual: ServerConfig,
        has_http_layers: bool,
        handshake_timeout: Duration,
        transports: &mut Vec<Arc<dyn ServerTransport>>,
        protocols: &mut Vec<&'static str>,
    ) -> Result<(), BuildError> {
        if self.off {
            if self.config.is_some() {
                let problem = "has no meaning with a `without_framed` that follows: leave one of both out";
                return Err(BuildError::new("framed", problem));
            }
            return Ok(());
        }
        if has_http_layers && self.config.is_none() {
            // Whatever the layers check, framed calls would pass them by.
            tracing::info!(
                "the framed protocol is off, because there are HTTP layers; `framed(...)` switches it on"
            );
            return Ok(());
        }
        let mut config = match self.config {
            Some(config) => config,
            None if usual.max_metadata_bytes > MOST_METADATA => {
                let problem = "the framed protocol takes 64 KiB - 1 at most: say less, leave it out with `without_framed`, \
                               or give it settings of its own with `framed`";
                return Err(BuildError::new("max_metadata_bytes", problem));
            }
            None => usual,
        };
        config.handshake_timeout = config.handshake_timeout.min(handshake_timeout);
        config.check()?;
        let server = FramedServer::new(config);
        protocols.push(server.protocol());
        transports.push(Arc::new(server));
        Ok(())
    }
}

/// Settings that say the same of both protocols: who sets a limit for one means the other as well.
#[cfg(feature = "grpc")]
pub(super) fn like(grpc: &super::grpc::Grpc) -> ServerConfig {
    let says_calls = grpc.says_calls;
    let grpc = grpc.config();
    let mut config = ServerConfig::default();
    config.max_message_bytes = grpc.max_message_bytes;
    config.max_send_message_bytes = grpc.max_send_message_bytes;
    config.max_metadata_bytes = grpc.max_metadata_bytes as usize;
    config.keepalive_interval = grpc.keepalive_interval;
    config.keepalive_timeout = grpc.keepalive_timeout;
    config.max_connection_age = grpc.max_connection_age;
    config.max_connection_age_grace = grpc.max_connection_age_grace;
    config.max_connection_idle = grpc.max_connection_idle;
    config.executor.clone_from(&grpc.executor);
    config.compression = grpc
        .compression
        .and_then(|compression| rpc_framed::Compression::of_name(compression.name()));
    if says_calls {
        config.max_concurrent_calls = grpc.max_concurrent_streams;
    }
    config
}

/// The framed protocol.
impl ServerBuilder {
    /// Speaks the framed protocol with these settings, HTTP layers or not.
    ///
    /// It is spoken on the same port as gRPC without this call as well, with the settings of gRPC that mean the same; unless
    /// there are HTTP layers, which its calls would pass by.
    pub fn framed(mut self, config: ServerConfig) -> Self {
        self.framed.config = Some(config);
        self.framed.off = false;
        self
    }

    /// Does not speak the framed protocol, unless [`framed`](Self::framed) is called afterwards.
    pub fn without_framed(mut self) -> Self {
        self.framed.off = true;
        self
    }
}

#[cfg(all(test, feature = "grpc"))]
mod tests {
    use crate::Server;

    #[test]
    fn a_number_of_calls_that_was_said_holds_for_both_protocols_also_where_grpc_has_it_anyway() {
        let calls = |builder: crate::ServerBuilder| super::like(&builder.grpc).max_concurrent_calls;
        let grpc = |calls| {
            let mut config = rpc_grpc::ServerConfig::default();
            config.max_concurrent_streams = calls;
            config
        };
        assert_eq!(calls(Server::builder()), 512);
        assert_eq!(calls(Server::builder().max_concurrent_streams(256)), 256);
        assert_eq!(calls(Server::builder().grpc(grpc(100))), 100);
        assert_eq!(
            calls(Server::builder().max_concurrent_streams(100).grpc(grpc(256))),
            512
        );
    }
}
