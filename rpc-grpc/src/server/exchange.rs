//! One call, from its request to its trailers.
//!
//! The future of this is polled once where the request was read, and most calls are done then; see
//! [`Runner`](rpc_core::transport::connection::Runner). Whenever the call must wait it looks at three things besides what it waits for: whether the
//! caller is gone, whether the deadline passed, and whether the server ends its streams.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context as Poller, Poll, Waker},
};

use h2::{RecvStream, SendStream, server::SendResponse};
use http::{HeaderMap, Response, header};
use rpc_core::{Body, Deadline, Reply, Status, message::SendCompressed};
use tokio::time::Instant;

use super::{
    ServerConfig,
    admit::{Admitted, AnswerForm, CallHead},
    conn::Conn,
    refusal::Refusal,
    running::LINGER,
};
use crate::{
    body::{Ending, Frames, H2Source, Part, Parts, RecvMessages, SendBody, send_whole},
    wire::{
        compress,
        frame::{Data, Encoder},
        headers::{self, append_metadata, check_size},
        names,
        status::{self, Perspective},
    },
};

/// One call, before it is answered.
pub(super) struct Exchange {
    /// Until the call is made of it.
    head: Option<CallHead>,
    messages: RecvMessages,
    form: AnswerForm,
}

impl Exchange {
    pub(super) fn new(admitted: Admitted, request: RecvStream, config: &ServerConfig) -> Self {
        let Admitted {
            head,
            decoder,
            answer: form,
        } = admitted;
        let source = H2Source::new(request, Perspective::Server, config.owed_bytes());
        Self {
            head: Some(head),
            messages: RecvMessages::new(source, decoder, Perspective::Server),
            form,
        }
    }

    /// Answers the call; once. One that `waited` before it is polled first may be over by then, and is not begun.
    pub(super) async fn run(&mut self, conn: &Conn, waited: bool, respond: &mut SendResponse<Data>) {
        let Some(head) = self.head.take() else { return };
        let bounds = Bounds::new(conn, head.deadline(), head.is_stream());
        let form = &self.form;
        if waited && let Poll::Ready(end) = bounds.look(respond).await {
            if let Some(status) = end {
                fail(&status.at_method(head.method()).not_processed(), form, respond);
            }
            return;
        }
        let outcome = {
            let mut call = head.into_call(&mut self.messages);
            let mut answer = pin!(conn.dispatch.answer(&mut call));
            poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending => bounds.poll_end(respond, cx).map(|end| end.map(Err)),
            })
            .await
        };
        let rest = match outcome {
            // The caller is gone, and what worked for it was dropped.
            None => return,
            Some(Err(status)) => return fail(&status, form, respond),
            Some(Ok(reply)) => match send_reply(reply, form, conn, respond) {
                Ok(None) => return,
                Ok(Some((headers, frames))) => Box::new((headers, frames)),
                Err(status) => return fail(&status, form, respond),
            },
        };
        // Boxed: the room for it would be twice that of a call which has nothing to wait for.
        Box::pin(send_parts(rest, &bounds, respond)).await;
    }
}

/// What bounds a call besides what its handler does.
pub(super) struct Bounds<'c> {
    conn: &'c Conn,
    deadline: Option<Deadline>,
    is_stream: bool,
}

impl<'c> Bounds<'c> {
    /// How many bytes a failure may take, with its metadata.
    pub(super) fn metadata_limit(&self) -> usize {
        self.conn.config.max_metadata_bytes as usize
    }

    pub(super) fn new(conn: &'c Conn, deadline: Option<Deadline>, is_stream: bool) -> Self {
        Self {
            conn,
            deadline,
            is_stream,
        }
    }

    pub(super) fn must_end(&self) -> Option<Status> {
        self.conn.must_end(self.deadline, self.is_stream)
    }

    /// Until when the peer has time to take the end of a call whose deadline passed. The call is woken then.
    fn lingers_until(&self) -> Option<Instant> {
        let deadline = self.deadline.filter(|deadline| deadline.has_passed())?;
        Some(deadline.instant() + LINGER)
    }

    /// Ready if the call is over: with a status for its caller, or with `None` if that is gone.
    pub(super) fn poll_end(
        &self,
        respond: &mut SendResponse<Data>,
        cx: &mut Poller<'_>,
    ) -> Poll<Option<Status>> {
        if respond.poll_reset(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.must_end()
            .map_or(Poll::Pending, |status| Poll::Ready(Some(status)))
    }

    /// Whether the call is over now.
    pub(super) async fn look(&self, respond: &mut SendResponse<Data>) -> Poll<Option<Status>> {
        poll_fn(|cx| Poll::Ready(self.poll_end(respond, cx))).await
    }
}

/// Sends a status, and nothing else.
fn fail(status: &Status, form: &AnswerForm, respond: &mut SendResponse<Data>) {
    Refusal::grpc(status, form.metadata_limit, form.content_type.clone()).send(respond);
}

/// Sends a reply, if nothing of it has to be waited for; else gives back what is to be sent. An error means that nothing
/// was sent.
fn send_reply(
    reply: Reply,
    form: &AnswerForm,
    conn: &Conn,
    respond: &mut SendResponse<Data>,
) -> Result<Option<(HeaderMap, Frames)>, Status> {
    let (headers, mut frames) = begin(reply, form, conn)?;
    let Some(whole) = frames.take_whole() else {
        return Ok(Some((headers, frames)));
    };
    if let Some(mut stream) = open(headers, respond) {
        // An error means that nobody waits for it.
        let _ = send_whole(&mut stream, whole, Perspective::Server);
    }
    Ok(None)
}

/// Sends a reply as it comes.
async fn send_parts(reply: Box<(HeaderMap, Frames)>, bounds: &Bounds<'_>, respond: &mut SendResponse<Data>) {
    let (headers, mut frames) = *reply;
    // Headers commit a call: a client may retry what failed before them. So they wait for the first message, but not for
    // longer than it takes to see that there is none yet.
    let first = poll_fn(|cx| Poll::Ready(frames.poll_peek(cx).map_ok(is_failure))).await;
    if let Poll::Ready(Ok(true)) = first
        && let Poll::Ready(Ok(Part::Trailers(trailers))) =
            frames.poll_part(&mut Poller::from_waker(Waker::noop()))
    {
        end_at_once(headers, trailers, respond);
        return;
    }
    if let Some(stream) = open(headers, respond) {
        finish(SendBody::new(stream, frames, Perspective::Server), bounds, |_| {
            true
        })
        .await;
    }
}

/// The headers of a reply, and what follows them.
pub(super) fn begin(reply: Reply, form: &AnswerForm, conn: &Conn) -> Result<(HeaderMap, Frames), Status> {
    let limit_bytes = conn.config.max_metadata_bytes as usize;
    let mut headers = HeaderMap::new();
    headers::reserve(&mut headers, 4 + reply.metadata.len())?;
    headers.insert(header::CONTENT_TYPE, form.content_type.clone());
    let switch = reply.extensions.get::<SendCompressed>().cloned();
    // A stream's switch is thrown message by message, so the coding is named even if it is off now.
    let streams = matches!(reply.body, Body::Outgoing(_) | Body::Incoming(_));
    let compression = match &switch {
        Some(switch) => form.compression.filter(|_| streams || switch.get()),
        None => form.compression.filter(|_| conn.config.compression.is_some()),
    };
    if let Some(compression) = compression {
        headers.insert(names::ENCODING, compress::value(compression));
    }
    if !reply.metadata.is_empty() {
        append_metadata(&reply.metadata, &mut headers);
        check_size(&headers, limit_bytes)?;
    }
    let encoder = Encoder {
        compression,
        limit_bytes: conn.config.max_send_message_bytes,
    };
    let frames = Frames::new(
        reply.body,
        encoder,
        Ending::Trailers { limit_bytes },
        reply.trailers,
    )?;
    Ok((headers, frames.switched_by(switch)))
}

fn open(headers: HeaderMap, respond: &mut SendResponse<Data>) -> Option<SendStream<Data>> {
    // An error means that the stream is over already, and nobody waits for it.
    respond.send_response(response(headers), false).ok()
}

/// Sends the end of a call that failed before it had a message.
fn end_at_once(headers: HeaderMap, trailers: HeaderMap, respond: &mut SendResponse<Data>) {
    let (headers, trailers) = in_one(headers, trailers);
    // Errors mean that the stream is over already, and nobody waits for it.
    let sent = respond.send_response(response(headers), trailers.is_none());
    if let (Ok(mut stream), Some(trailers)) = (sent, trailers) {
        let _ = stream.send_trailers(trailers);
    }
}

/// Headers and trailers of a reply without messages as one block, and nothing after it. Metadata that the handler set keeps
/// them apart: in one block it would arrive as what follows the messages.
pub(super) fn in_one(mut headers: HeaderMap, trailers: HeaderMap) -> (HeaderMap, Option<HeaderMap>) {
    let plain = 1 + usize::from(headers.contains_key(names::ENCODING));
    if headers.len() > plain {
        return (headers, Some(trailers));
    }
    headers.remove(names::ENCODING);
    headers.extend(trailers);
    (headers, None)
}

/// Sends what follows the headers, for as long as the call may last. Whoever looks at the bounds elsewhere as well says by
/// `ends_here` whether, as the body stands, it is here that they end it.
///
/// The end is behind what h2 holds for the peer already. From one that takes none of it the stream is taken away in the end.
pub(super) async fn finish<P: Parts>(
    mut body: SendBody<P>,
    bounds: &Bounds<'_>,
    ends_here: impl Fn(&SendBody<P>) -> bool,
) {
    let mut told = false;
    let mut held_up = false;
    let sent = poll_fn(|cx| {
        loop {
            if let Poll::Ready(sent) = body.poll_send(cx) {
                return Poll::Ready(sent);
            }
            match bounds.must_end() {
                Some(status) if !told && ends_here(&body) => {
                    told = true;
                    held_up = body.is_held_up();
                    body.fail(status);
                }
                _ => return Poll::Pending,
            }
        }
    })
    .await;
    if let Some(until) = bounds.lingers_until().filter(|_| sent.is_ok() && held_up) {
        poll_fn(|cx| body.poll_gone(Instant::now() >= until, cx)).await;
    }
}

fn response(headers: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.headers_mut() = headers;
    response
}

/// True if the first thing to send is the end of a call that failed.
pub(super) fn is_failure(part: &Part) -> bool {
    matches!(part, Part::Trailers(trailers) if status::is_failure(trailers))
}
