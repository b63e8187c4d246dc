//! gRPC inside the layers: from an HTTP request to a response.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, atomic::Ordering},
    task::{Context as Poller, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use rpc_core::{Deadline, Status, context::Expiry};
use tokio::time::Instant;

use super::{HttpBody, exchange::Passage};
use crate::{
    body::{Frames, HttpSource, Part, Parts, RecvMessages},
    server::{
        admit::{Admitted, admit},
        conn::Conn,
        exchange::{begin, in_one, is_failure},
        refusal::Refusal,
    },
    wire::status::Perspective,
};

/// Answers a request that passed the layers.
pub(super) async fn answer(request: Request<HttpBody>) -> Response<HttpBody> {
    let (mut head, body) = request.into_parts();
    let Some(passage) = head.extensions.remove::<Arc<Passage>>() else {
        let text = "an HTTP layer dropped the extensions of the request, which the connection is found in";
        return refused(Refusal::http(StatusCode::INTERNAL_SERVER_ERROR, text));
    };
    let _inside = Inside::enter(&passage);
    match admit(&passage.conn, head, passage.arrived, Instant::now()) {
        Ok(admitted) => call(Arc::clone(&passage.conn), admitted, body).await,
        Err(refusal) => refused(*refusal),
    }
}

/// While it is there, the inner side looks after what bounds the call.
struct Inside<'p>(&'p Passage);

impl<'p> Inside<'p> {
    fn enter(passage: &'p Passage) -> Self {
        passage.is_inside.store(true, Ordering::Release);
        Self(passage)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.is_inside.store(false, Ordering::Release);
    }
}

async fn call(conn: Arc<Conn>, admitted: Admitted, body: HttpBody) -> Response<HttpBody> {
    let Admitted {
        head,
        decoder,
        answer: form,
    } = admitted;
    let mut bounds = Bounds::new(conn, head.deadline(), head.is_stream());
    let failed = |status: Status| {
        refused(Refusal::grpc(
            &status,
            form.metadata_limit,
            form.content_type.clone(),
        ))
    };
    let mut messages = RecvMessages::new(HttpSource::new(body), decoder, Perspective::Server);
    let outcome = {
        let conn = Arc::clone(&bounds.conn);
        let mut call = head.into_call(&mut messages);
        let mut answer = pin!(conn.dispatch.answer(&mut call));
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => bounds.poll_end(cx).map(Err),
        })
        .await
    };
    let (headers, mut frames) = match outcome.and_then(|reply| begin(reply, &form, &bounds.conn)) {
        Ok(begun) => begun,
        Err(status) => return failed(status),
    };
    // As without layers: headers wait for the first message, if it is there at once.
    let first = poll_fn(|cx| Poll::Ready(frames.poll_peek(cx).map_ok(is_failure))).await;
    if let Poll::Ready(Ok(true)) = first
        && let Ok(Part::Trailers(trailers)) = poll_fn(|cx| frames.poll_part(cx)).await
    {
        let (headers, trailers) = in_one(headers, trailers);
        let body = trailers.map_or_else(HttpBody::default, HttpBody::trailers);
        return response(StatusCode::OK, headers, body);
    }
    response(
        StatusCode::OK,
        headers,
        HttpBody::new(Bounded {
            frames,
            bounds,
            ended: false,
        }),
    )
}

/// What bounds a call besides what its handler does. Inside the layers it has a timer of its own.
struct Bounds {
    conn: Arc<Conn>,
    deadline: Option<Expiry>,
    is_stream: bool,
}

impl Bounds {
    fn new(conn: Arc<Conn>, deadline: Option<Deadline>, is_stream: bool) -> Self {
        Self {
            conn,
            deadline: deadline.map(Expiry::new),
            is_stream,
        }
    }

    fn poll_end(&mut self, cx: &mut Poller<'_>) -> Poll<Status> {
        if let Some(Poll::Ready(status)) = self.deadline.as_mut().map(|deadline| deadline.poll_expired(cx)) {
            return Poll::Ready(status);
        }
        // The connection wakes the whole task when this changes.
        self.conn
            .must_end(None, self.is_stream)
            .map_or(Poll::Pending, Poll::Ready)
    }
}

/// The body of a reply, for as long as the call may last.
struct Bounded {
    frames: Frames,
    bounds: Bounds,
    ended: bool,
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        loop {
            let part = match this.frames.poll_part(cx) {
                Poll::Ready(part) => part,
                Poll::Pending => match this.bounds.poll_end(cx) {
                    Poll::Ready(status) => {
                        this.frames.fail(status);
                        continue;
                    }
                    Poll::Pending => return Poll::Pending,
                },
            };
            this.ended = !matches!(part, Ok(Part::Data(_)));
            return Poll::Ready(part.map(Part::into_frame).transpose());
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

fn refused(refusal: Refusal) -> Response<HttpBody> {
    let body = HttpBody::whole(refusal.text);
    refusal.into_response().map(|()| body)
}

fn response(status: StatusCode, headers: HeaderMap, body: HttpBody) -> Response<HttpBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
