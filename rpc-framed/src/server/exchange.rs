//! One call, from its request to its answer.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context as Poller, Poll},
};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Body, Metadata, Reply, Status,
    message::{Incoming, Outgoing, SendCompressed, Value},
};

use super::{
    accept::Request,
    conn::{Conn, Served},
};
use crate::{
    Compression,
    io::{Outbox, Queue, SEPARATE_BYTES, check_written},
    stream::{Coding, Pump},
    wire::{HEAD_BYTES, Head, compress, flag, kind, metadata},
};

/// Answers one call. It is made where it stays: what comes in is smaller, and is moved several times until then.
pub(super) async fn exchange(conn: Arc<Conn>, served: Served, request: Request) {
    let mut call = request.into_call(&conn.caller);
    let result = conn.dispatch.answer(&mut call).await;
    let sent = match result {
        // Boxed, as the rare case: it would make every call's future larger.
        Ok(reply) if conn.hub.outbox.is_crowded() => Box::pin(send_later(reply, served, &conn)).await,
        Ok(reply) => send(reply, served, &conn).await,
        Err(status) => Err(status),
    };
    if let Err(status) = sent {
        conn.fail(served, &status);
    }
}

/// Sends a reply once there is room for it.
async fn send_later(reply: Reply, served: Served, conn: &Conn) -> Result<(), Status> {
    conn.hub.outbox.room().await;
    send(reply, served, conn).await
}

/// Sends a reply. An error is how the call ends instead.
async fn send(reply: Reply, served: Served, conn: &Conn) -> Result<(), Status> {
    let hub = &conn.hub;
    let limit = hub.metadata_limit();
    for metadata in [&reply.metadata, &reply.trailers] {
        if !metadata.is_empty() {
            metadata::check_entries([metadata], limit)?;
        }
    }
    let coding = coding(&reply, conn);
    let Reply {
        metadata,
        body,
        trailers,
        ..
    } = reply;
    let one = One {
        served,
        conn,
        coding: &coding,
        metadata: &metadata,
        trailers: &trailers,
    };
    let rest = match body {
        Body::Encoded(message) => one.send(message.bytes)?,
        Body::Boxed(value) => one.send_value(&*value)?,
        Body::Outgoing(stream) => return send_stream(stream, metadata, served, conn, coding).await,
        Body::Incoming(stream) => {
            let stream = Box::new(Relayed(stream));
            return send_stream(stream, metadata, served, conn, coding).await;
        }
        _ => return Err(Status::internal("the handler gave no answer")),
    };
    if rest.is_empty() {
        return Ok(());
    }
    // Boxed, as the rare case: it would make every call's future larger.
    Box::pin(Pump::rest(Arc::clone(hub), served.id, rest, trailers)).await
}

/// A stream's beginning commits a call: a client may send again what failed before it. So it waits for the first message,
/// but not for longer than it takes to see that there is none yet.
async fn send_stream(
    stream: Box<dyn Outgoing>,
    metadata: Metadata,
    served: Served,
    conn: &Conn,
    coding: Coding,
) -> Result<(), Status> {
    // The slot may be another call's by now, whose credit the pump's would replace.
    if conn.is_given_up(served) {
        return Ok(());
    }
    let mut pump = Box::pin(Pump::stream(Arc::clone(&conn.hub), served.id, stream, coding));
    let mut metadata = Some(metadata);
    poll_fn(|cx| {
        if let Some(metadata) = metadata.take() {
            // From when it was made on, the pump hears of it.
            if conn.is_given_up(served) {
                return Poll::Ready(Ok(()));
            }
            let open = |queue: &mut Queue| {
                let start = queue.begin();
                metadata::append(&metadata, queue.buffer());
                let head = Head {
                    metadata: (queue.buffer().len() - start - HEAD_BYTES) as u16,
                    ..Head::new(kind::REPLY, served.id)
                };
                queue.finish(start, head, Bytes::new());
            };
            pump.peek(cx, open)?;
        }
        pump.as_mut().poll(cx)
    })
    .await
}

/// How replies are coded.
fn coding(reply: &Reply, conn: &Conn) -> Coding {
    let config = &conn.config;
    let accepted = &conn.hub.peer.compressions;
    let mut coding = Coding {
        limit: config.max_send_message_bytes,
        ..Coding::default()
    };
    if accepted.is_empty() {
        return coding;
    }
    coding.switch = reply.extensions.get::<SendCompressed>().cloned();
    if config.compression.is_some() || coding.switch.is_some() {
        let known = config
            .compression
            .into_iter()
            .chain(Compression::ALL.iter().copied());
        coding.compression = known
            .into_iter()
            .find(|known| accepted.contains(&compress::number(*known)));
    }
    coding
}

/// An answer of one message.
struct One<'a> {
    served: Served,
    conn: &'a Conn,
    coding: &'a Coding,
    metadata: &'a Metadata,
    trailers: &'a Metadata,
}

impl One<'_> {
    /// Sends the message, or its beginning; answers the rest.
    fn send(&self, message: Bytes) -> Result<Bytes, Status> {
        let (mut bytes, compressed) = self.coding.pack(message)?;
        let most = self.conn.hub.peer.max_frame_bytes as usize;
        let rest = if bytes.len() > most {
            bytes.split_off(most)
        } else {
            Bytes::new()
        };
        self.frame(!rest.is_empty(), compressed, |_| Ok(bytes))?;
        Ok(rest)
    }

    /// Has a value encoded straight into the queue, if its size is known and it fits.
    fn send_value(&self, value: &dyn Value) -> Result<Bytes, Status> {
        let plain = self.coding.now().is_none();
        let most = self.conn.hub.peer.max_frame_bytes as usize;
        if let Some(length) = value.encoded_len()
            && plain
            && length <= most
        {
            self.coding.check(length)?;
            if length >= SEPARATE_BYTES {
                let bytes = Outbox::encode_apart(value, length, most)?;
                self.frame(false, false, |_| Ok(bytes))?;
                return Ok(Bytes::new());
            }
            self.frame(false, false, |buffer| {
                let before = buffer.len();
                value.encode(buffer)?;
                check_written(buffer.len() - before, most).map(|()| Bytes::new())
            })?;
            return Ok(Bytes::new());
        }
        let scratch = self.conn.hub.outbox.encode_aside(value)?;
        if !plain || scratch.len() > most {
            return self.send(scratch.freeze());
        }
        self.coding.check(scratch.len())?;
        self.frame(false, false, |buffer| {
            buffer.extend_from_slice(&scratch);
            Ok(Bytes::new())
        })?;
        self.conn.hub.outbox.lock().give_back(scratch);
        Ok(Bytes::new())
    }

    fn frame(
        &self,
        more: bool,
        compressed: bool,
        body: impl FnOnce(&mut BytesMut) -> Result<Bytes, Status>,
    ) -> Result<(), Status> {
        let ends = !more && self.trailers.is_empty();
        self.conn.hub.outbox.with(|queue| {
            if queue.given_up.contains(&self.served.number) {
                return Err(Status::cancelled("nobody waits for the answer"));
            }
            let start = queue.begin();
            let mut head = Head::new(kind::REPLY, self.served.id);
            head.flags = flag::MESSAGE;
            head.flags |= if more { flag::MORE } else { 0 };
            head.flags |= if compressed { flag::COMPRESSED } else { 0 };
            head.flags |= if ends { flag::END } else { 0 };
            if !self.metadata.is_empty() {
                metadata::append(self.metadata, queue.buffer());
                head.metadata = (queue.buffer().len() - start - HEAD_BYTES) as u16;
            }
            match body(queue.buffer()) {
                Ok(body) => queue.finish(start, head, body),
                Err(status) => {
                    queue.buffer().truncate(start);
                    return Err(status);
                }
            }
            if !more && !ends {
                queue.end(self.served.id, self.trailers);
            }
            Ok(())
        })
    }
}

/// A stream that arrives from elsewhere, passed on.
struct Relayed(Box<dyn Incoming>);

impl Outgoing for Relayed {
    fn poll_encode(&mut self, cx: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        self.0
            .poll_message(cx)
            .map(|item| item.map(|message| message.map(|message| out.extend_from_slice(&message))))
    }

    fn take_trailers(&mut self) -> Metadata {
        self.0.take_trailers()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
