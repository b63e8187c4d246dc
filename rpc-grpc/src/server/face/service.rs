//! The erased HTTP service, which layers wrap and are wrapped in.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context as Poller, Poll},
};

use http::{Request, Response};
use http_body::Body;
use rpc_core::{BoxError, BoxFuture};
use tower_service::Service;

use super::{HttpBody, answer::answer};

type Answer = Result<Response<HttpBody>, BoxError>;

/// What an HTTP layer of a gRPC server wraps: answers HTTP requests with those of gRPC. Cheap to clone.
///
/// It takes requests with any body, since layers change the type. It must get the request's extensions, which it finds its
/// connection in.
#[derive(Clone)]
pub struct HttpService(Arc<dyn Erased>);

trait Erased: Send + Sync {
    fn call(&self, request: Request<HttpBody>) -> BoxFuture<'static, Answer>;
}

impl HttpService {
    /// gRPC itself.
    pub(super) fn innermost() -> Self {
        Self(Arc::new(Innermost))
    }

    /// A layer's service.
    pub(super) fn layered<S, R>(service: S) -> Self
    where
        S: Service<Request<HttpBody>, Response = Response<R>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        R: Body + Send + 'static,
        R::Error: Into<BoxError>,
    {
        Self(Arc::new(Layered(service)))
    }

    pub(super) fn answer(&self, request: Request<HttpBody>) -> BoxFuture<'static, Answer> {
        self.0.call(request)
    }
}

impl<B> Service<Request<B>> for HttpService
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<HttpBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Answer>;

    /// Always ready.
    fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.0.call(request.map(HttpBody::new))
    }
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpService")
    }
}

struct Innermost;

impl Erased for Innermost {
    fn call(&self, request: Request<HttpBody>) -> BoxFuture<'static, Answer> {
        Box::pin(async move { Ok(answer(request).await) })
    }
}

struct Layered<S>(S);

impl<S, R> Erased for Layered<S>
where
    S: Service<Request<HttpBody>, Response = Response<R>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    R: Body + Send + 'static,
    R::Error: Into<BoxError>,
{
    fn call(&self, request: Request<HttpBody>) -> BoxFuture<'static, Answer> {
        // A clone has no reservation of its own: the one that is called is the one that is made ready.
        let mut service = self.0.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
            let response = service.call(request).await.map_err(Into::into)?;
            Ok(response.map(HttpBody::new))
        })
    }
}
