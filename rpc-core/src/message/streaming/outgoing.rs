//! A stream with its encoder, as a transport sends it.

use std::{
    any::Any,
    task::{Context as Poller, Poll, ready},
};

use bytes::BytesMut;

use super::Streaming;
use crate::{
    Metadata, Status,
    codec::MessageCodec,
    message::{Outgoing, StreamEnd},
};

pub(super) struct Encoding<T: 'static> {
    stream: Streaming<T>,
    codec: MessageCodec<T>,
}

impl<T: Send + 'static> Encoding<T> {
    pub(super) fn new(stream: Streaming<T>, codec: MessageCodec<T>) -> Self {
        Self { stream, codec }
    }
}

impl<T: Send + 'static> Outgoing for Encoding<T> {
    fn poll_encode(&mut self, cx: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        let message = match ready!(self.stream.poll_message(cx)) {
            Some(Ok(message)) => message,
            Some(Err(status)) => return Poll::Ready(Some(Err(status))),
            None => return Poll::Ready(None),
        };
        let encoded = self.codec.encode(&message, out).map_err(|mut status| {
            self.stream.end_with(Some(&mut status));
            status
        });
        Poll::Ready(Some(encoded))
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.stream.trailers)
    }

    fn on_end(&mut self, end: Box<dyn StreamEnd>) {
        self.stream.on_end(end);
    }

    fn as_any(&mut self) -> &mut dyn Any {
        &mut self.stream
    }
}
