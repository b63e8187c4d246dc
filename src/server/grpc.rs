//! What a server builder says of the gRPC transport.

use std::{sync::Arc, time::Duration};

use rpc_core::{BoxError, BuildError, transport::ServerTransport};
use rpc_grpc::{GrpcServer, Http1Refusal, HttpBody, HttpService, ServerConfig};
use tower_layer::Layer;
use tower_service::Service;

use super::ServerBuilder;

/// The settings of the gRPC transport, and the layers around its requests.
#[derive(Default)]
pub(super) struct Grpc {
    config: ServerConfig,
    /// The number of calls at once is not merely what gRPC does by itself.
    #[cfg(feature = "framed")]
    pub(super) says_calls: bool,
    /// In the order in which they were added.
    layers: Vec<AddLayer>,
}

/// Puts a layer around those that a transport has.
type AddLayer = Box<dyn FnOnce(GrpcServer) -> GrpcServer + Send>;

impl Grpc {
    #[cfg(feature = "framed")]
    pub(super) fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// True if there is a layer that sees requests of gRPC only.
    #[cfg(feature = "framed")]
    pub(super) fn has_layers(&self) -> bool {
        !self.layers.is_empty()
    }

    /// Adds the transports: gRPC, and the one that tells HTTP/1.1 what this port speaks.
    pub(super) fn finish(
        mut self,
        handshake_timeout: Duration,
        transports: &mut Vec<Arc<dyn ServerTransport>>,
        protocols: &mut Vec<&'static str>,
    ) -> Result<(), BuildError> {
        if self.config.max_message_bytes == 0 {
            return Err(BuildError::new(
                "max_message_bytes",
                "no message fits into 0 bytes",
            ));
        }
        self.config.handshake_timeout = self.config.handshake_timeout.min(handshake_timeout);
        self.config.check()?;
        // The transport puts each layer around those before it: the first of ours, the outermost, comes last.
        let server = self
            .layers
            .into_iter()
            .rev()
            .fold(GrpcServer::new(self.config), |server, add| add(server));
        protocols.push(server.protocol());
        transports.push(Arc::new(server));
        transports.push(Arc::new(Http1Refusal));
        Ok(())
    }
}

/// gRPC.
impl ServerBuilder {
    /// Sets everything of the gRPC transport at once. The methods below change single settings of it, if they are called
    /// afterwards.
    pub fn grpc(mut self, config: ServerConfig) -> Self {
        #[cfg(feature = "framed")]
        {
            let usual = ServerConfig::default().max_concurrent_streams;
            self.grpc.says_calls = config.max_concurrent_streams != usual;
        }
        self.grpc.config = config;
        self
    }

    /// Puts a layer around the HTTP requests of gRPC, such as those of tower-http. The layer that was added first is the
    /// outermost.
    ///
    /// Requests pass it before gRPC looks at them, and before the layers around calls. Calls over other transports, and
    /// from this process, pass it by: checks that matter belong into [`layer`](Self::layer). With one installed every
    /// request costs a few boxes more; without one, nothing.
    pub fn http_layer<L, R>(mut self, layer: L) -> Self
    where
        L: Layer<HttpService> + Send + 'static,
        L::Service:
            Service<http::Request<HttpBody>, Response = http::Response<R>> + Clone + Send + Sync + 'static,
        <L::Service as Service<http::Request<HttpBody>>>::Error: Into<BoxError>,
        <L::Service as Service<http::Request<HttpBody>>>::Future: Send + 'static,
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        self.grpc
            .layers
            .push(Box::new(move |server| server.with_http_layer(layer)));
        self
    }

    /// Sets the largest message to receive, in bytes after decompression. Default: 4 MiB.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.grpc.config.max_message_bytes = bytes;
        self
    }

    /// Compresses replies, for clients that can inflate that. Default: not at all. A handler decides otherwise for a
    /// message with [`SendCompressed`](rpc_core::message::SendCompressed).
    pub fn compression(mut self, compression: rpc_grpc::Compression) -> Self {
        self.grpc.config.compression = Some(compression);
        self
    }

    /// Sets how much metadata a request or a reply may have, in bytes. Default: 16 KiB. The framed protocol takes 64 KiB - 1 at
    /// most: [`build`](Self::build) refuses more while it is spoken with the settings of gRPC.
    pub fn max_metadata_bytes(mut self, bytes: u32) -> Self {
        self.grpc.config.max_metadata_bytes = bytes;
        self
    }

    /// Sets how many calls may be under way on one connection. Default: 256 over gRPC, 512 over the framed protocol.
    pub fn max_concurrent_streams(mut self, streams: u32) -> Self {
        self.grpc.config.max_concurrent_streams = streams;
        #[cfg(feature = "framed")]
        {
            self.grpc.says_calls = true;
        }
        self
    }

    /// Sets after how much silence a peer is asked whether it is still there, and how long it may take to answer.
    /// Default: 2 h and 20 s.
    pub fn keepalive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.grpc.config.keepalive_interval = Some(interval);
        self.grpc.config.keepalive_timeout = timeout;
        self
    }

    /// Sets the least time between two pings of a gRPC client. Default: 5 min; zero allows any number while a call is under
    /// way, and without one only together with [`permit_ping_without_calls`](Self::permit_ping_without_calls). The third that comes too
    /// early closes the connection (`too_many_pings`), unless the server sent something in between. Clients whose keepalive is
    /// set to less than 5 min need less here.
    pub fn min_ping_interval(mut self, interval: Duration) -> Self {
        self.grpc.config.min_ping_interval = Some(interval);
        self
    }

    /// Sets whether [`min_ping_interval`](Self::min_ping_interval) is enough for a gRPC client that has no call under way as well.
    /// Default: no, that may ping once in 2 h.
    pub fn permit_ping_without_calls(mut self, permit: bool) -> Self {
        self.grpc.config.permit_ping_without_calls = permit;
        self
    }

    /// Sets how old a connection may become before its peer is told to make a new one. Default: any age. Where a balancer of
    /// connections, a `ClusterIP` for instance, stands before the servers, this is what brings clients to those that are new.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.grpc.config.max_connection_age = Some(age);
        self
    }

    /// Sets how long a connection may be without a call. Default: for ever.
    pub fn max_connection_idle(mut self, idle: Duration) -> Self {
        self.grpc.config.max_connection_idle = Some(idle);
        self
    }
}
