//! One call through the layers, from its stream and back to it.

use std::{
    future::poll_fn,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
};

use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, HeaderName, Request, Response, header};
use http_body::Body as _;
use rpc_core::{Deadline, Method, Status};
use tokio::time::Instant;

use super::HttpBody;
use crate::{
    body::{H2Source, HttpParts, RequestBody, SendBody},
    server::{
        admit::is_stream,
        conn::{Conn, Ticket},
        exchange::{Bounds, finish},
        refusal::Refusal,
    },
    wire::{content_type, frame::Data, status::Perspective},
};

/// Headers of HTTP/1.1 that a layer may have set, and that HTTP/2 does not allow.
const CONNECTION_SPECIFIC: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A request that is to pass the layers.
pub(crate) struct FaceRequest {
    pub(crate) request: Request<RecvStream>,
    pub(crate) arrived: Instant,
    pub(crate) deadline: Option<Deadline>,
}

/// What the inner side finds among the extensions of a request.
pub(super) struct Passage {
    pub(super) conn: Arc<Conn>,
    pub(super) arrived: Instant,
    /// The inner side is at work on it.
    pub(super) is_inside: AtomicBool,
}

/// Has a request answered by the layers, and sends what they say.
///
/// What bounds a call is looked after inside the layers, so that they see how it ends. Here a caller that is gone ends it, and
/// its bounds where the inner side is not asked: while a layer holds the request or the answer, and once the caller takes no more
/// of it.
pub(crate) async fn face_exchange(
    conn: &Ticket,
    request: FaceRequest,
    waited: bool,
    respond: &mut SendResponse<Data>,
) {
    let Some(face) = conn.face.clone() else { return };
    let FaceRequest {
        request,
        arrived,
        deadline,
    } = request;
    let streams = is_stream(conn.dispatch.resolve(request.uri().path()).method());
    let bounds = Bounds::new(conn, deadline, streams);
    if waited && let Poll::Ready(end) = bounds.look(respond).await {
        if let Some(status) = end {
            let method = Method::unknown(request.uri().path());
            refuse(conn, &status.at_method(&method).not_processed(), respond);
        }
        return;
    }
    let may_owe = conn.config.owed_bytes();
    let source = |stream| RequestBody::new(H2Source::new(stream, Perspective::Server, may_owe));
    let mut request = request.map(|stream| HttpBody::new(source(stream)));
    // For layers that ask who calls.
    request.extensions_mut().insert(Arc::clone(&conn.caller));
    let passage = Arc::new(Passage {
        conn: Arc::clone(conn.conn()),
        arrived,
        is_inside: AtomicBool::new(false),
    });
    request.extensions_mut().insert(Arc::clone(&passage));
    let mut answer = face.service.answer(request);
    let outcome = poll_fn(|cx| {
        // gRPC inside the layers does not panic; whether they do, nobody knows.
        let polled = panic::catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx)));
        match polled.unwrap_or_else(|panic| Poll::Ready(Err(Status::from_layer_panic(&*panic).into()))) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if passage.is_inside.load(Ordering::Acquire) => {
                respond.poll_reset(cx).map(|_| None)
            }
            Poll::Pending => bounds
                .poll_end(respond, cx)
                .map(|end| end.map(|status| Err(status.into()))),
        }
    })
    .await;
    drop(answer);
    match outcome {
        None => {}
        Some(Ok(response)) => send(response, &bounds, respond).await,
        Some(Err(error)) => {
            // A layer failed, or took too long. What it wrapped was begun, or was not: nobody knows.
            refuse(conn, &Status::from_error(error), respond);
        }
    }
}

/// Answers in place of the inner side, which would know the codec.
fn refuse(conn: &Conn, status: &Status, respond: &mut SendResponse<Data>) {
    Refusal::grpc(status, conn.config.max_metadata_bytes, content_type::UNNAMED).send(respond);
}

async fn send(response: Response<HttpBody>, bounds: &Bounds<'_>, respond: &mut SendResponse<Data>) {
    let (mut head, body) = response.into_parts();
    remove_connection_specific(&mut head.headers);
    let ends = body.is_end_stream();
    // An error means that the stream is over already, and nobody waits for it.
    let Ok(stream) = respond.send_response(Response::from_parts(head, ()), ends) else {
        return;
    };
    if !ends {
        // What breaks it off has reset the stream, and the caller knows.
        let body = SendBody::new(
            stream,
            HttpParts::new(body, bounds.metadata_limit()),
            Perspective::Server,
        );
        finish(body, bounds, |body| !body.awaits_part()).await;
    }
}

fn remove_connection_specific(headers: &mut HeaderMap) {
    for name in &CONNECTION_SPECIFIC {
        headers.remove(name);
    }
}
