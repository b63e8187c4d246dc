//! Answers to requests that get no further.

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use rpc_core::{Status, status::reason};

use crate::wire::{compress, frame::Data, names, status::write};

/// An answer that is one block of headers, and perhaps a text for whoever looks at it with an HTTP tool.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) http: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: Option<&'static str>,
}

impl Refusal {
    /// Of a request that is not gRPC's. It carries a status for clients that are, in spite of what they sent.
    pub(super) fn http(http: StatusCode, text: &'static str) -> Self {
        let status = Status::internal(text)
            .with_reason(reason::PROTOCOL_BROKEN)
            .with_domain(reason::DOMAIN);
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        if http == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        write(&status, usize::MAX, &mut headers);
        Self {
            http,
            headers,
            text: Some(text),
        }
    }

    /// Of a request of gRPC's. Metadata of the status goes along as long as all of it takes no more than `limit_bytes`.
    pub(super) fn grpc(status: &Status, limit_bytes: u32, content_type: HeaderValue) -> Self {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(header::CONTENT_TYPE, content_type);
        write(status, limit_bytes as usize, &mut headers);
        Self {
            http: StatusCode::OK,
            headers,
            text: None,
        }
    }

    /// Sets the HTTP status, for clients and proxies that know nothing else.
    pub(super) fn with_http(mut self, http: StatusCode) -> Self {
        self.http = http;
        self
    }

    /// Says which codings are known.
    pub(super) fn with_accepted_codings(mut self) -> Self {
        self.headers.insert(names::ACCEPT_ENCODING, compress::accepted());
        self
    }

    /// Sends it.
    pub(super) fn send(self, respond: &mut SendResponse<Data>) {
        let (text, response) = (self.text, self.into_response());
        // An error means that the stream is over already, and nobody waits for it.
        let Ok(mut stream) = respond.send_response(response, text.is_none()) else {
            return;
        };
        if let Some(text) = text {
            let _ = stream.send_data(Bytes::from_static(text.as_bytes()).into(), true);
        }
    }

    /// The head of it.
    pub(super) fn into_response(self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.http;
        *response.headers_mut() = self.headers;
        response
    }
}
