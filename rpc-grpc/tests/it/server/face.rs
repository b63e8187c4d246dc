//! Layers of HTTP in front of gRPC: tower-http's, and one that cannot be cloned while it is ready.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response as HttpResponse};
use http_body::Frame;
use rpc_core::{
    Body, BoxError, BoxFuture, Call, Code, Response, Streaming, context::Caller, message::Encoded,
};
use rpc_grpc::{GrpcServer, HttpBody, HttpService, ServerConfig};
use tower::{Layer, Service, layer::layer_fn};
use tower_http::{
    cors::CorsLayer, limit::RequestBodyLimitLayer, set_header::SetResponseHeaderLayer, trace::TraceLayer,
};

use super::{
    linked::linked,
    peer::{Answer, Peer, frame, post, send_all, with_header, within},
    service::{Counter, Dropped, TYPES, TestService},
};

pub(crate) fn plain() -> GrpcServer {
    GrpcServer::new(ServerConfig::default())
}

#[tokio::test]
async fn all_shapes_pass_the_layers() {
    let server = plain()
        .with_http_layer(TraceLayer::new_for_grpc())
        .with_http_layer(SetResponseHeaderLayer::overriding(
            http::HeaderName::from_static("x-layer"),
            http::HeaderValue::from_static("seen"),
        ))
        .with_http_layer(CorsLayer::permissive());
    let peer = Peer::of(&server, TestService::new()).await;
    let two = Bytes::from([frame("a"), frame("b")].concat());
    for (path, body, messages) in [
        ("/test.Test/Unary", frame("x"), vec!["x"]),
        ("/test.Test/Upload", two.clone(), vec!["ab"]),
        ("/test.Test/Download", frame("x"), vec!["x", "x"]),
        ("/test.Test/Chat", two, vec!["a", "b"]),
    ] {
        let answer = peer.request(post(path), body).await;
        assert_eq!(answer.code(), 0, "{path}: {answer:?}");
        assert_eq!(answer.messages(), messages, "{path}");
        assert_eq!(answer.headers["x-layer"], "seen");
        assert_eq!(answer.headers["content-type"], "application/grpc");
        assert!(answer.trailers.is_some());
    }
}

#[tokio::test]
async fn a_layer_may_answer_by_itself() {
    let peer = Peer::of(
        &plain().with_http_layer(CorsLayer::permissive()),
        TestService::new(),
    )
    .await;
    let mut preflight = with_header(post("/test.Test/Unary"), "origin", "http://shop.test");
    preflight = with_header(preflight, "access-control-request-method", "POST");
    *preflight.method_mut() = Method::OPTIONS;
    let answer = peer.request(preflight, "").await;
    assert_eq!(answer.http, 200);
    assert!(
        answer.headers.contains_key("access-control-allow-methods"),
        "{answer:?}"
    );
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_layer_may_bound_the_body() {
    let peer = Peer::of(
        &plain().with_http_layer(RequestBodyLimitLayer::new(1000)),
        TestService::new(),
    )
    .await;
    let answer = peer.request(post("/test.Test/Unary"), frame(vec![0; 2000])).await;
    assert_ne!(answer.field("grpc-status"), Some("0"), "{answer:?}");
    peer.assert_alive().await;
}

#[tokio::test]
async fn checks_and_failures_are_those_without_layers() {
    let service = TestService::new().upload(async |_| Err(rpc_core::Status::not_found("gone")));
    let peer = Peer::of(&plain().with_http_layer(TraceLayer::new_for_grpc()), service).await;
    let mut request = post("/test.Test/Unary");
    request
        .headers_mut()
        .insert("content-type", "text/html".parse().expect("legal"));
    assert_eq!(peer.request(request, "").await.http, 415);
    let timeout = with_header(post("/test.Test/Unary"), "grpc-timeout", "soon");
    assert_eq!(peer.request(timeout, frame("x")).await.http, 400);
    assert_eq!(
        peer.call("/test.Test/Nothing", "x").await.code(),
        Code::Unimplemented as u32
    );
    assert_eq!(
        peer.call("/test.Test/Upload", "x").await.code(),
        Code::NotFound as u32
    );
    assert_eq!(
        peer.request(post("/test.Test/Unary"), Bytes::from_static(&[9, 0, 0]))
            .await
            .code(),
        Code::Internal as u32
    );
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_reset_drops_the_handler_behind_layers() {
    let dropped = Dropped::default();
    let guard = dropped.clone();
    let service = TestService::new().unary(move |_| {
        let guard = guard.guard();
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    let peer = Peer::of(&plain().with_http_layer(TraceLayer::new_for_grpc()), service).await;
    let mut call = peer.ask(post("/test.Test/Unary")).await;
    peer.call("/test.Test/Nothing", "").await;
    call.stream.send_reset(h2::Reason::CANCEL);
    within(dropped.wait()).await;
}

#[tokio::test]
async fn back_pressure_holds_behind_layers() {
    let asked = Counter::default();
    let counted = asked.clone();
    let service = TestService::new().download(move |_| {
        let asked = counted.clone();
        let messages = std::iter::repeat_with(move || {
            asked.add();
            Bytes::from(vec![0; 1000])
        });
        async move { Ok(Response::new(Streaming::from_iter(messages))) }
    });
    let peer = Peer::of(&plain().with_http_layer(TraceLayer::new_for_grpc()), service).await;
    let call = peer.ask(post("/test.Test/Download")).await;
    let response = within(call.response).await.expect("it begins");
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
    assert!(
        asked.get() < 2000,
        "{} messages of 1000 bytes for a window of 65,535",
        asked.get()
    );
    drop(response);
}

#[tokio::test]
async fn a_large_body_passes_both_ways() {
    let peer = Peer::of(
        &plain().with_http_layer(TraceLayer::new_for_grpc()),
        TestService::new(),
    )
    .await;
    let large = Bytes::from(vec![7; 2 << 20]);
    let mut call = peer.begin(post("/test.Test/Unary")).await;
    let (answer, sent) = tokio::join!(
        Answer::of(call.response),
        send_all(&mut call.stream, frame(&large), true)
    );
    sent.expect("the server reads");
    assert_eq!(answer.messages(), [large]);
}

#[tokio::test]
async fn a_layer_sees_who_calls_and_keeps_its_reservation() {
    let peer = Peer::of(
        &plain().with_http_layer(layer_fn(|inner| Reserving {
            inner,
            is_ready: false,
        })),
        TestService::new(),
    )
    .await;
    let answer = peer.call("/test.Test/Unary", "x").await;
    assert_eq!(answer.headers["x-protocol"], "grpc");
    assert_eq!(answer.code(), 0);
}

#[tokio::test]
async fn a_layer_that_fails_fails_the_call() {
    let failing = layer_fn(|_: HttpService| {
        tower::service_fn(async |_: Request<HttpBody>| Err::<HttpResponse<HttpBody>, _>("out of order"))
    });
    let peer = Peer::of(&plain().with_http_layer(failing), TestService::new()).await;
    let answer = peer.call("/test.Test/Unary", "x").await;
    assert_eq!(answer.code(), Code::Unknown as u32);
}

#[tokio::test]
async fn a_layer_that_panics_fails_its_call_only() {
    let panicking = layer_fn(|inner: HttpService| {
        tower::service_fn(move |request: Request<HttpBody>| {
            let mut inner = inner.clone();
            async move {
                assert!(request.uri().path() != "/test.Test/Download", "a test does this");
                inner.call(request).await
            }
        })
    });
    let peer = Peer::of(&plain().with_http_layer(panicking), TestService::new()).await;
    assert_eq!(
        peer.call("/test.Test/Download", "x").await.code(),
        Code::Internal as u32
    );
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_failure_before_any_message_is_one_block_behind_layers_too() {
    let service = TestService::new().download(async |_| {
        let failing = tokio_stream::once(Err::<Bytes, _>(rpc_core::Status::not_found("gone")));
        Ok(Response::new(Streaming::new(failing)))
    });
    let peer = Peer::of(&plain().with_http_layer(TraceLayer::new_for_grpc()), service).await;
    let answer = peer.call("/test.Test/Download", "x").await;
    assert!(answer.is_trailers_only(), "{answer:?}");
    assert_eq!(answer.code(), Code::NotFound as u32);
}

#[tokio::test]
async fn the_last_layer_is_the_outermost() {
    let mark = |mark: &'static str| layer_fn(move |inner: HttpService| Marking { inner, mark });
    let server = plain()
        .with_http_layer(mark("first"))
        .with_http_layer(mark("second"));
    let peer = Peer::of(&server, TestService::new()).await;
    let answer = peer.call("/test.Test/Unary", "x").await;
    let marks: Vec<_> = answer.headers.get_all("x-mark").iter().collect();
    assert_eq!(marks, ["first", "second"], "answers pass the inner one first");
}

/// Must be made ready before it is called, as tower's own layers that hold permits.
#[derive(Clone)]
struct Reserving {
    inner: HttpService,
    is_ready: bool,
}

impl Service<Request<HttpBody>> for Reserving {
    type Response = HttpResponse<HttpBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), Self::Error>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<HttpBody>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "it was not made ready");
        let protocol = request
            .extensions()
            .get::<std::sync::Arc<Caller>>()
            .map(|caller| caller.protocol());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            let protocol = protocol.ok_or("nobody calls")?;
            response
                .headers_mut()
                .insert("x-protocol", http::HeaderValue::from_static(protocol));
            Ok(response)
        })
    }
}

/// Adds a mark to each answer.
#[derive(Clone)]
struct Marking {
    inner: HttpService,
    mark: &'static str,
}

impl Service<Request<HttpBody>> for Marking {
    type Response = HttpResponse<HttpBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Poller<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<HttpBody>) -> Self::Future {
        let (mark, answer) = (self.mark, self.inner.call(request));
        Box::pin(async move {
            let mut response = answer.await?;
            response
                .headers_mut()
                .append("x-mark", http::HeaderValue::from_static(mark));
            Ok(response)
        })
    }
}

const _: fn() = || {
    fn is_layer<L: Layer<HttpService>>() {}
    is_layer::<TraceLayer<tower_http::classify::SharedClassifier<tower_http::classify::GrpcErrorsAsFailures>>>(
    );
};

/// A body with an empty frame before each of another's.
struct Padded {
    body: HttpBody,
    is_padded: bool,
}

impl http_body::Body for Padded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.is_padded = !self.is_padded;
        if self.is_padded {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::new()))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }
}

/// Clients, too, end a connection on which there are too many of them.
#[tokio::test]
async fn empty_frames_of_a_layer_are_not_sent() {
    let server = plain().with_http_layer(layer_fn(|inner: HttpService| {
        tower::service_fn(move |request: Request<HttpBody>| {
            let mut inner = inner.clone();
            async move {
                let answer = inner.call(request).await?;
                Ok::<_, BoxError>(answer.map(|body| Padded {
                    body,
                    is_padded: false,
                }))
            }
        })
    }));
    let (linked, link) = linked(server, TestService::new(), |_| {});
    for _ in 0..101 {
        let message = Body::Encoded(Encoded { bytes: "x".into() });
        let mut call = Call::new(TYPES[0].method(), "proto", message);
        within(link.call(&mut call)).await.expect("it succeeds");
    }
    assert_eq!(linked.dials(), 1);
}
