//! From an erased body to the typed message or stream that it holds, on either side.
//!
//! Over a wire the body is bytes. In process it is the very value that the other side made: it is handed over if both
//! sides use the same type, and goes through the codec if not (two traits for one service, say).

use std::{
    any::Any,
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
    match std::mem::replace(body, Body::Empty) {
        Body::Empty => Err(miscounted("none")),
        Body::Value(value) => Ok((take_value(value, codec)?, Metadata::new())),
        Body::Boxed(mut value) => Ok((take_value(&mut *value, codec)?, Metadata::new())),
        Body::Encoded(encoded) => Ok((codec.decode(encoded.bytes)?, Metadata::new())),
        Body::Arriving(stream) => take_only(stream, codec).await,
        Body::Incoming(mut stream) => take_only(&mut *stream, codec).await,
        Body::Outgoing(stream) => take_only(&mut Relayed::new(stream), codec).await,
    }
}

/// Takes the stream that a body must hold.
pub(crate) fn take_stream<T: Send + 'static>(
    body: &mut Body<'_>,
    codec: MessageCodec<T>,
) -> Result<Streaming<T>, Status> {
    match std::mem::replace(body, Body::Empty) {
        Body::Empty => Ok(Streaming::empty()),
        Body::Value(value) => Ok(Streaming::from_iter([take_value(value, codec)?])),
        Body::Boxed(mut value) => Ok(Streaming::from_iter([take_value(&mut *value, codec)?])),
        Body::Encoded(encoded) => Ok(Streaming::from_iter([codec.decode(encoded.bytes)?])),
        Body::Arriving(stream) => Ok(Streaming::from_incoming(stream.detach(), codec)),
        Body::Incoming(stream) => Ok(Streaming::from_incoming(stream, codec)),
        Body::Outgoing(stream) => Ok(match stream.downcast::<T>() {
            Ok(stream) => stream,
            Err(stream) => Streaming::from_incoming(Box::new(Relayed::new(stream)), codec),
        }),
    }
}

impl dyn Outgoing {
    /// The typed stream that this is, or itself if it is of another type.
    fn downcast<T: Send + 'static>(mut self: Box<Self>) -> Result<Streaming<T>, Box<dyn Outgoing>> {
        if !self.as_any().is::<Streaming<T>>() {
            return Err(self);
        }
        let stream: Box<dyn Any + Send> = self.into_any();
        stream.downcast().map(|stream| *stream).map_err(|_| unreachable!("the type was looked at"))
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
        return typed.take_value().ok_or_else(|| miscounted("none"));
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
        let Some(stream) = &mut self.0 else { return Poll::Ready(None) };
        let mut bytes = BytesMut::new();
        let item = ready!(stream.poll_encode(cx, &mut bytes));
        Poll::Ready(item.map(|item| item.map(|()| bytes.freeze())))
    }

    fn take_trailers(&mut self) -> Metadata {
        self.0.as_mut().map_or_else(Metadata::new, |stream| stream.take_trailers())
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(self.0.take()))
    }
}
