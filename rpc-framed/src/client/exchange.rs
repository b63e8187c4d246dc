//! One attempt of a call: a request, and its answer.

use std::{
    future::poll_fn,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    task::{Context as Poller, Poll},
};

use bytes::Bytes;
use rpc_core::{
    Body, Call, Metadata, Reply, Status,
    context::{Expiry, forget_woken, woken_by},
    message::SendCompressed,
    status::{Side, reason},
    transport::supervise::{Again, Failed},
};

use super::{
    ClientConfig,
    connection::{Answer, Connection, NotSent, Opening, RequestHead},
    reply::{Open, blamed, opened, whole},
};
use crate::{
    Compression,
    io::{Outbox, SEPARATE_BYTES, Turn},
    stream::{Coding, Hub, Pump, Receiver},
    wire::{CallId, compress, metadata, status},
};

/// Sends a call over a connection and receives its reply.
///
/// The body stays where it is unless it is a stream; a stream of which nothing was taken is put back if the attempt fails.
pub(crate) async fn attempt(
    connection: &Arc<Connection>,
    config: &ClientConfig,
    call: &mut Call<'_>,
) -> Result<Reply, Failed> {
    let Some(number) = connection.slot().await else {
        return Err(gone(connection));
    };
    let slot = Slot { connection, number };
    let mut turn = Turn::New;
    let (mut under_way, mut pump) = loop {
        match poll_fn(|cx| Poll::Ready(send(connection, config, call, number, turn, cx))).await {
            Ok(Some(sent)) => break sent,
            Ok(None) => {
                // Boxed, as the rare case: it would make every call's future larger.
                Box::pin(connection.room()).await;
                turn = Turn::Waited;
            }
            Err(failed) => return Err(failed),
        }
    };
    // It is the call's now.
    std::mem::forget(slot);
    let deadline = call.context.deadline();
    let mut is_sent_just_now = pump.is_none();
    let answer = poll_fn(|cx| {
        // Whom to wake was said when it was sent, and that was in this same poll.
        if std::mem::take(&mut is_sent_just_now) {
            deadline.into_iter().for_each(woken_by);
            return Poll::Pending;
        }
        if let Some(pump) = &mut pump
            && let Poll::Ready(Err(status)) = poll_requests(pump, cx)
        {
            // What it was that broke off is the caller's own.
            return Poll::Ready(Err(status));
        }
        connection.poll_answer(under_way.id, cx).map(Ok)
    })
    .await;
    let streams = call.method.shape().streams_responses();
    let reply = match answer {
        Err(status) => return Err(status.at_side(Side::Client).into()),
        Ok(Answer::Whole {
            metadata,
            body,
            compressed,
        }) => {
            under_way.has_ended();
            whole(connection, &metadata, body, compressed, streams)
        }
        Ok(Answer::Opened { metadata, arrival }) => {
            let receiver = Receiver::new(Arc::clone(&connection.hub), under_way.id, arrival);
            // Boxed, as the rare case: it would make every call's future larger.
            Box::pin(opened(metadata, receiver, under_way, pump.take(), streams)).await
        }
        Ok(Answer::Failed(head, payload)) => {
            let status = connection.explain(status::read(&head, &payload, Some(&call.method)));
            let again = if status.was_processed() || status.reason() != Some(reason::DRAINING) {
                Again::No
            } else {
                Again::NotTaken
            };
            return Err(Failed {
                again: give_back(again, pump, call),
                status,
            });
        }
        Ok(Answer::Lost(status, untouched)) => {
            let again = match untouched {
                true if status.reason() == Some(reason::DRAINING) => Again::NotTaken,
                true => Again::NotSent,
                false => Again::No,
            };
            return Err(Failed {
                again: give_back(again, pump, call),
                status,
            });
        }
    };
    let mut reply = reply.map_err(|status| Failed::from(connection.explain(blamed(status))))?;
    reply.peer.clone_from(&connection.peer);
    Ok(reply)
}

/// Puts a stream back of which nothing was taken. Without it there is nothing to send again.
fn give_back(again: Again, pump: Option<Box<Pump>>, call: &mut Call<'_>) -> Again {
    match pump {
        Some(pump) if matches!(call.body, Body::Empty) => match pump.into_stream() {
            Some(stream) if again != Again::No => {
                call.body = Body::Outgoing(stream);
                again
            }
            _ => Again::No,
        },
        _ => again,
    }
}

/// Sends what is left of a request. What panics in there is the caller's own.
pub(super) fn poll_requests(pump: &mut Pump, cx: &mut Poller<'_>) -> Poll<Result<(), Status>> {
    panic::catch_unwind(AssertUnwindSafe(|| pump.poll(cx)))
        .unwrap_or_else(|panic| Poll::Ready(Err(Status::from_stream_panic(&*panic))))
}

type Sent<'c> = (UnderWay<'c>, Option<Box<Pump>>);

/// Sends the request, as much of it as fits into a frame; `None` if there is no room for it now.
fn send<'c>(
    connection: &'c Arc<Connection>,
    config: &ClientConfig,
    call: &mut Call<'_>,
    slot: u32,
    turn: Turn,
    cx: &mut Poller<'_>,
) -> Result<Option<Sent<'c>>, Failed> {
    let hub = &connection.hub;
    let left_ms = match call.context.deadline() {
        None => None,
        Some(deadline) => match deadline.remaining() {
            left if left.is_zero() => {
                return Err(Expiry::status().at_side(Side::Client).not_processed().into());
            }
            // Rounded up: nobody is to give up before the caller does.
            left => Some(u32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)),
        },
    };
    let context = call.context.injected(&call.metadata);
    if !call.metadata.is_empty() || !context.is_empty() {
        metadata::check_entries([&call.metadata, &context], hub.metadata_limit()).map_err(ours)?;
    }
    let coding = coding(call, config, connection)?;
    let most = hub.peer.max_frame_bytes as usize;
    let (mut stream, mut rest) = (None, Bytes::new());
    let opening = match &mut call.body {
        body @ Body::Outgoing(_) => {
            stream = Some(std::mem::replace(body, Body::Empty));
            Some(Opening::Stream)
        }
        Body::Value(value) => opening(&**value, &coding, connection, turn, most, &mut rest)?,
        Body::Boxed(value) => opening(&**value, &coding, connection, turn, most, &mut rest)?,
        Body::Encoded(message) => Some(pieces(message.bytes.clone(), &coding, most, &mut rest)?),
        _ => {
            let gone = Status::internal("the request was taken already, and cannot be sent again");
            return Err(ours(gone).into());
        }
    };
    let Some(opening) = opening else { return Ok(None) };
    let head = RequestHead {
        method: &call.method,
        codec: &call.codec,
        metadata: &call.metadata,
        context: &context,
        deadline: call.context.deadline(),
        left_ms,
    };
    let sent = connection.send(slot, turn, &head, opening, cx.waker());
    let id = match sent {
        Ok(id) => id,
        Err(why) => {
            if let Some(stream) = stream {
                call.body = stream;
            }
            return match why {
                NotSent::Gone => Err(gone(connection)),
                NotSent::Full => Ok(None),
                NotSent::Refused(status) => Err(ours(status).into()),
            };
        }
    };
    let pump = match stream {
        Some(Body::Outgoing(stream)) => Some(Pump::stream(Arc::clone(hub), id, stream, coding)),
        _ if !rest.is_empty() => Some(Pump::rest(Arc::clone(hub), id, rest, Metadata::new())),
        _ => None,
    };
    let under_way = UnderWay {
        connection,
        id,
        over: false,
    };
    Ok(Some((under_way, pump.map(Box::new))))
}

/// How a value is sent: straight into the queue if its size is known and it fits. `None` if it is large and there is no room for
/// it now: it would be encoded in vain.
fn opening<'v>(
    value: &'v dyn rpc_core::message::Value,
    coding: &Coding,
    connection: &Connection,
    turn: Turn,
    most: usize,
    rest: &mut Bytes,
) -> Result<Option<Opening<'v>>, Failed> {
    let plain = coding.now().is_none();
    let whole = value.encoded_len().filter(|length| plain && *length <= most);
    if let Some(length) = whole {
        coding.check(length).map_err(ours)?;
        if length < SEPARATE_BYTES {
            return Ok(Some(Opening::Value(value)));
        }
    }
    if connection.hub.outbox.holds_back(turn) {
        return Ok(None);
    }
    if let Some(length) = whole {
        let bytes = Outbox::encode_apart(value, length, most).map_err(ours)?;
        return Ok(Some(Opening::Bytes {
            bytes,
            compressed: false,
            more: false,
        }));
    }
    let scratch = connection.hub.outbox.encode_aside(value).map_err(ours)?;
    if plain && scratch.len() <= most {
        coding.check(scratch.len()).map_err(ours)?;
        return Ok(Some(Opening::Aside(scratch)));
    }
    pieces(scratch.freeze(), coding, most, rest).map(Some)
}

fn pieces(
    message: Bytes,
    coding: &Coding,
    most: usize,
    rest: &mut Bytes,
) -> Result<Opening<'static>, Failed> {
    let (mut bytes, compressed) = coding.pack(message).map_err(ours)?;
    if bytes.len() > most {
        *rest = bytes.split_off(most);
    }
    Ok(Opening::Bytes {
        bytes,
        compressed,
        more: !rest.is_empty(),
    })
}

/// How the requests of a call are coded.
fn coding(call: &Call<'_>, config: &ClientConfig, connection: &Connection) -> Result<Coding, Failed> {
    let wanted = match call.options.compression.as_deref() {
        None => config.compression,
        Some("identity") => None,
        Some(name) => {
            let unknown = || {
                let text = format!("this build cannot compress by `{}`", name.escape_default());
                let status = Status::internal(text).with_reason(reason::COMPRESSION_UNKNOWN);
                Failed::from(ours(status.with_domain(reason::DOMAIN)))
            };
            Some(Compression::of_name(name).ok_or_else(unknown)?)
        }
    };
    Ok(Coding {
        // A server that cannot undo it gets them as they are.
        compression: wanted.filter(|wanted| {
            connection
                .hub
                .peer
                .compressions
                .contains(&compress::number(*wanted))
        }),
        switch: wanted.and_then(|_| call.extensions.get::<SendCompressed>().cloned()),
        limit: config.send_limit(),
    })
}

/// A slot that nothing was sent from. Dropped, it is given back, also where a message's own code panics.
struct Slot<'c> {
    connection: &'c Connection,
    number: u32,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.connection.give_back(self.number);
    }
}

/// A call on its way. Dropped, it is given up.
pub(super) struct UnderWay<'c> {
    connection: &'c Arc<Connection>,
    id: CallId,
    over: bool,
}

impl UnderWay<'_> {
    /// All of the answer was taken.
    fn has_ended(&mut self) {
        self.over = true;
        self.connection.give_back(self.id.slot);
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.connection.hub
    }

    /// The same for who outlives the attempt.
    pub(super) fn detach(mut self) -> Open {
        self.over = true;
        Open {
            connection: Arc::clone(self.connection),
            id: self.id,
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.connection.end(self.id);
            // Nobody wakes its task any more.
            forget_woken();
        }
    }
}

fn ours(status: Status) -> Status {
    status.at_side(Side::Client).not_processed()
}

fn gone(connection: &Connection) -> Failed {
    Failed::not_sent(connection.local.as_ref(), connection.peer.as_deref())
}
