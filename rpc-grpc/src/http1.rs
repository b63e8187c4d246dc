//! HTTP/1.1 on a port that speaks gRPC: a clear refusal.
//!
//! Whoever opens such a port with a browser, with `curl` or with an HTTP/1.1 health check should read what it is, not a
//! reset. Hyper parses the request, so that what is refused is what a client would call a request, and answers 400 to
//! what is none.

use std::{convert::Infallible, future::ready, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rpc_core::{
    BoxFuture,
    server::Dispatch,
    transport::{Accepted, Drain, DrainPhase, Recognition, ServerTransport},
};

/// The longest method there is a use for; more letters are no request.
const MAX_METHOD: usize = 16;

/// How large the head of a request may be.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How many headers it may have.
const MAX_HEADERS: usize = 64;

/// How long a request may take to come, and its answer to be taken.
const TIMEOUT: Duration = Duration::from_secs(10);

const TEXT: &str = "This port speaks gRPC, which is HTTP/2 with prior knowledge: connect with a gRPC client, or with \
                    `curl --http2-prior-knowledge`.\n";

/// Answers every HTTP/1.1 request with 426 and a text that says what this port speaks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Http1Refusal;

impl ServerTransport for Http1Refusal {
    fn protocol(&self) -> &'static str {
        "http/1.1"
    }

    fn alpn(&self) -> &'static [u8] {
        b"http/1.1"
    }

    fn recognises(&self, prefix: &[u8]) -> Recognition {
        // `PRI` is no method of HTTP/1.1: it is kept for the beginning of HTTP/2.
        if prefix.starts_with(b"PRI ") {
            return Recognition::No;
        }
        let method = prefix.iter().take_while(|b| b.is_ascii_uppercase()).count();
        match prefix.get(method) {
            _ if method > MAX_METHOD => Recognition::No,
            Some(b' ') if method > 0 => Recognition::Yes,
            Some(_) => Recognition::No,
            None => Recognition::More,
        }
    }

    fn serve(&self, connection: Accepted, _: Dispatch, mut drain: Drain) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // Not an async closure: with one, rustc 1.95 breaks off incremental builds (unstable fingerprints).
            let service = service_fn(|_: Request<Incoming>| ready(Ok::<_, Infallible>(refusal())));
            let serving = http1::Builder::new()
                .keep_alive(false)
                .max_buf_size(MAX_HEAD_BYTES)
                .max_headers(MAX_HEADERS)
                .timer(TokioTimer::new())
                .header_read_timeout(TIMEOUT)
                .serve_connection(TokioIo::new(connection.io), service);
            tokio::select! {
                // It is over in any case, and what went wrong is the peer's affair.
                _ = tokio::time::timeout(TIMEOUT * 2, serving) => {}
                () = drain.reached(DrainPhase::Draining) => {}
            }
        })
    }
}

fn refusal() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(TEXT.as_bytes())));
    *response.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = response.headers_mut();
    // Such an answer must say what to upgrade to.
    headers.insert(header::UPGRADE, HeaderValue::from_static("HTTP/2.0"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade, close"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_a_method_and_a_blank() {
        let recognise = |bytes: &[u8]| Http1Refusal.recognises(bytes);
        assert_eq!(recognise(b""), Recognition::More);
        assert_eq!(recognise(b"GE"), Recognition::More);
        assert_eq!(recognise(b"GET "), Recognition::Yes);
        assert_eq!(recognise(b"PROPFIND /"), Recognition::Yes);
        assert_eq!(recognise(b"P"), Recognition::More);
        assert_eq!(recognise(b"PRI"), Recognition::More);
        assert_eq!(recognise(b"PRI * HTTP/2.0"), Recognition::No);
        assert_eq!(recognise(b" GET"), Recognition::No);
        assert_eq!(recognise(b"get /"), Recognition::No);
        assert_eq!(recognise(b"\x16\x03\x01"), Recognition::No);
        assert_eq!(recognise(b"AAAAAAAAAAAAAAAAAAAA"), Recognition::No);
    }
}
