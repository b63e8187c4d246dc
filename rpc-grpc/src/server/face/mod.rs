//! The HTTP face: where layers of HTTP, such as those of tower-http, see requests before gRPC does.
//!
//! A request passes it only where a layer is installed; without one there is no HTTP service at all, and nothing is paid
//! for it. Inside the layers the same checks, the same handlers and the same bodies as without them are at work. The slot
//! is erased, so that a server has no type parameter: one box a call, for requests that pass layers of any type.

mod answer;
mod body;
mod exchange;
mod service;

use rpc_core::BoxError;
use tower_layer::Layer;
use tower_service::Service;

pub(super) use self::exchange::{FaceRequest, face_exchange};
pub use self::{body::HttpBody, service::HttpService};

/// The layers of a server, and what they wrap.
pub(super) struct Face {
    service: HttpService,
}

impl Face {
    /// The services of a connection behind a layer, and that behind what is there already.
    pub(super) fn new<L, R>(layer: &L, inner: Option<&Self>) -> Self
    where
        L: Layer<HttpService>,
        L::Service:
            Service<http::Request<HttpBody>, Response = http::Response<R>> + Clone + Send + Sync + 'static,
        <L::Service as Service<http::Request<HttpBody>>>::Error: Into<BoxError>,
        <L::Service as Service<http::Request<HttpBody>>>::Future: Send + 'static,
        R: http_body::Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let inner = inner.map_or_else(HttpService::innermost, |face| face.service.clone());
        Self {
            service: HttpService::layered(layer.layer(inner)),
        }
    }
}
