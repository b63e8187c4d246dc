//! The server's side of the gRPC transport.

use std::{fmt, sync::Arc};

use rpc_core::{
    BoxError, BoxFuture,
    context::Caller,
    server::Dispatch,
    transport::{Accepted, Drain, Recognition, ServerTransport},
};
use tower_layer::Layer;
use tower_service::Service;

use super::{HttpBody, HttpService, ServerConfig, conn::Conn, connection::serve, face::Face};

/// What a client sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Serves connections that speak gRPC: HTTP/2, with prior knowledge or chosen by TLS. Cheap to clone.
#[derive(Clone)]
pub struct GrpcServer {
    config: Arc<ServerConfig>,
    face: Option<Arc<Face>>,
}

impl GrpcServer {
    /// With these settings. Values that HTTP/2 does not allow are brought into its bounds; who wants them refused asks
    /// [`ServerConfig::check`] first.
    pub fn new(config: ServerConfig) -> Self {
        Self {
            config: Arc::new(config.within_bounds()),
            face: None,
        }
    }

    /// Installs a layer of HTTP, such as those of tower-http. The one that is installed last is the outermost.
    ///
    /// Requests pass it before gRPC looks at them: before the checks of the protocol, the deadline, and the stages of the
    /// server's own pipeline. It sees calls over HTTP only: none that come in process or over another transport, so it is
    /// not the place for security. [`Caller`] is among the request's extensions, in an `Arc`.
    ///
    /// Every call then goes through the layer's boxed service; without a layer there is none.
    pub fn with_http_layer<L, R>(mut self, layer: L) -> Self
    where
        L: Layer<HttpService>,
        L::Service:
            Service<http::Request<HttpBody>, Response = http::Response<R>> + Clone + Send + Sync + 'static,
        <L::Service as Service<http::Request<HttpBody>>>::Error: Into<BoxError>,
        <L::Service as Service<http::Request<HttpBody>>>::Future: Send + 'static,
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        self.face = Some(Arc::new(Face::new(&layer, self.face.as_deref())));
        self
    }

    /// The settings.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }
}

impl Default for GrpcServer {
    fn default() -> Self {
        Self::new(ServerConfig::default())
    }
}

impl ServerTransport for GrpcServer {
    fn protocol(&self) -> &'static str {
        "grpc"
    }

    fn alpn(&self) -> &'static [u8] {
        b"h2"
    }

    fn recognises(&self, prefix: &[u8]) -> Recognition {
        let seen = prefix.len().min(PREFACE.len());
        if prefix[..seen] != PREFACE[..seen] {
            Recognition::No
        } else if seen == PREFACE.len() {
            Recognition::Yes
        } else {
            Recognition::More
        }
    }

    fn serve(&self, connection: Accepted, dispatch: Dispatch, drain: Drain) -> BoxFuture<'static, ()> {
        let Accepted { io, local, peer, .. } = connection;
        let caller = Arc::new(Caller::new(self.protocol()).with_addresses(local, peer));
        let conn = Arc::new(Conn::new(
            Arc::clone(&self.config),
            dispatch,
            caller,
            self.face.clone(),
        ));
        Box::pin(serve(io, conn, drain))
    }
}

impl fmt::Debug for GrpcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcServer")
            .field("config", &self.config)
            .field("http_layers", &self.face.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_the_preface_and_nothing_else() {
        let server = GrpcServer::default();
        assert_eq!(server.recognises(b""), Recognition::More);
        assert_eq!(server.recognises(b"P"), Recognition::More);
        assert_eq!(server.recognises(b"POST / HTTP/1.1"), Recognition::No);
        assert_eq!(
            server.recognises(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"),
            Recognition::More
        );
        assert_eq!(server.recognises(PREFACE), Recognition::Yes);
        assert_eq!(server.recognises(&[0x16, 3, 1]), Recognition::No);
    }
}
