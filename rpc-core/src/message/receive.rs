//! From an erased body to the typed message or stream that it holds, on either side.
//!
//! Over a wire the body is bytes. In process it is the very value that the other side made: it is handed over if both
//! sides use the same type, and goes through the codec if not (two traits for one service, say).

use std::{
    future::poll_fn,
    task::{Context as Poller, Poll, ready},
};

use bytes::{Bytes, BytesMut};

use super::{Body, Incoming, Outgoing, Streaming, Typed, Value};
use crate::{Metadata, Status, codec::MessageCodec, status::reason};

/// Takes the one message that a body must hold; with it the metadata that followed.
pub(crate) async fn take_message<T: Send + 'static>(
    body: &mut Body<'_>,
    codec: MessageCodec<T>,
) -> Result<(T, Metadata), Status> {
    if let Some(message) = take_whole(body, codec) {
        return Ok((message?, Metadata::new()));
    }
    match std::mem::replace(body, Body::Empty) {
        Body::Arriving(stream) => take_only(stream, codec).await,
        Body::Incoming(mut stream) => take_only(&mut *stream, codec).await,
        Body::Outgoing(stream) => take_only(&mut Relayed::new(stream), codec).await,
        _ => Err(miscounted("none")),
    }
}

/// The message of a body that is no stream; `None` if it is one. Nothing has to be waited for then.
pub(crate) fn take_whole<T: Send + 'static>(
    body: &mut Body<'_>,
    codec: MessageCodec<T>,
) -> Option<Result<T, Status>> {
    if matches!(body, Body::Arriving(_) | Body::Incoming(_) | Body::Outgoing(_)) {
        return None;
    }
    // What is encoded stays for another attempt: that costs nothing.
    if let Body::Encoded(encoded) = body {
        return Some(codec.decode(encoded.bytes.clone()));
    }
    Some(match std::mem::replace(body, Body::Empty) {
        Body::Value(value) => take_value(value, codec),
        Body::Boxed(mut value) => take_value(&mut *value, codec),
        _ => Err(miscounted("none")),
    })
}

/// Takes the stream that a body must hold.
pub(crate) fn take_stream<T: Send + 'static>(
    body: &mut Body<'_>,
    codec: MessageCodec<T>,
) -> Result<Streaming<T>, Status> {
    match std::mem::replace(body, Body::Empty) {
        Body::Empty | Body::Placed => Ok(Streaming::empty()),
        Body::Value(value) => Ok(Streaming::from_iter([take_value(value, codec)?])),
        Body::Boxed(mut value) => Ok(Streaming::from_iter([take_value(&mut *value, codec)?])),
        Body::Encoded(encoded) => Ok(Streaming::from_iter([codec.decode(encoded.bytes)?])),
        Body::Arriving(stream) => Ok(Streaming::from_incoming(stream.detach(), codec)),
        Body::Incoming(stream) => Ok(Streaming::from_incoming(stream, codec)),
        Body::Outgoing(mut stream) => Ok(match stream.as_any().downcast_mut::<Streaming<T>>() {
            Some(stream) => std::mem::replace(stream, Streaming::empty()),
            None => Streaming::from_incoming(Box::new(Relayed::new(stream)), codec),
        }),
    }
}

async fn take_only<T>(stream: &mut dyn Incoming, codec: MessageCodec<T>) -> Result<(T, Metadata), Status> {
    let Some(first) = poll_fn(|cx| stream.poll_message(cx)).await else {
        return Err(miscounted("none").with_metadata(stream.take_trailers()));
    };
    let first = first?;
    match poll_fn(|cx| stream.poll_message(cx)).await {
        None => Ok((codec.decode(first)?, stream.take_trailers())),
        Some(Ok(_)) => Err(miscounted("more")),
        Some(Err(status)) => Err(status),
    }
}

fn take_value<T: Send + 'static>(value: &mut dyn Value, codec: MessageCodec<T>) -> Result<T, Status> {
    if let Some(typed) = value.as_any().downcast_mut::<Typed<T>>() {
        let gone = || Status::internal("the message was handed over already and cannot be read again");
        return typed.take_value().ok_or_else(gone);
    }
    let mut bytes = BytesMut::with_capacity(value.encoded_len().unwrap_or(0));
    value.encode(&mut bytes)?;
    codec.decode(bytes.freeze())
}

fn miscounted(found: &str) -> Status {
    Status::unimplemented(format!("exactly one message is due, there was {found}"))
        .with_reason(reason::MESSAGE_COUNT)
        .with_domain(reason::DOMAIN)
}

/// A stream that is sent, read on the spot.
struct Relayed(Option<Box<dyn Outgoing>>);

impl Relayed {
    fn new(stream: Box<dyn Outgoing>) -> Self {
        Self(Some(stream))
    }
}

impl Incoming for Relayed {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(stream) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let mut bytes = BytesMut::new();
        let item = ready!(stream.poll_encode(cx, &mut bytes));
        Poll::Ready(item.map(|item| item.map(|()| bytes.freeze())))
    }

    fn take_trailers(&mut self) -> Metadata {
        self.0
            .as_mut()
            .map_or_else(Metadata::new, |stream| stream.take_trailers())
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(self.0.take()))
    }
}
