//! Messages that arrive.

use std::task::{Context as Poller, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use rpc_core::{Metadata, Status, message::Incoming};

use super::{ByteSource, H2Source};
use crate::wire::{
    frame::Decoder,
    status::{self, Perspective},
};

/// Messages that arrive on a stream, as rpc-core reads them.
///
/// For a client the trailers decide how the stream ends: cleanly, or with the status that they carry. A stream that breaks off
/// is an error for either side, never an end: a server whose caller reset the stream sees CANCELLED, so that it does not
/// take half an upload for a whole one.
pub(crate) struct RecvMessages<S: ByteSource = H2Source> {
    /// `None` once it was detached, or has ended.
    reading: Option<Reading<S>>,
    trailers: Metadata,
}

struct Reading<S> {
    source: S,
    decoder: Decoder,
    perspective: Perspective,
    /// DATA has ended.
    data_ended: bool,
}

impl<S: ByteSource> RecvMessages<S> {
    /// The messages of a stream. For a client, one whose headers had HTTP status 200 and no `grpc-status`.
    pub(crate) fn new(source: S, decoder: Decoder, perspective: Perspective) -> Self {
        let reading = Reading {
            source,
            decoder,
            perspective,
            data_ended: false,
        };
        Self {
            reading: Some(reading),
            trailers: Metadata::new(),
        }
    }
}

impl<S: ByteSource> Incoming for RecvMessages<S> {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(reading) = &mut self.reading else {
            return Poll::Ready(None);
        };
        let item = match ready!(reading.poll_next(cx)) {
            Ok(Next::Message(message)) => return Poll::Ready(Some(Ok(message))),
            Ok(Next::End(trailers)) => {
                self.trailers = trailers;
                None
            }
            Err(status) => Some(Err(status)),
        };
        // What is not read any more is given up; h2 then gives the window back, or resets the stream.
        self.reading = None;
        Poll::Ready(item)
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.trailers)
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self {
            reading: self.reading.take(),
            trailers: std::mem::take(&mut self.trailers),
        })
    }
}

enum Next {
    Message(Bytes),
    End(Metadata),
}

impl<S: ByteSource> Reading<S> {
    fn poll_next(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Next, Status>> {
        loop {
            if self.data_ended {
                return self.poll_end(cx).map_ok(Next::End);
            }
            if let Some(message) = self.decoder.next()? {
                return Poll::Ready(Ok(Next::Message(message)));
            }
            match ready!(self.source.poll_data(cx)) {
                Some(Ok(data)) => self.decoder.push(data),
                Some(Err(status)) => return Poll::Ready(Err(status)),
                None => self.data_ended = true,
            }
        }
    }

    fn poll_end(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Metadata, Status>> {
        if self.perspective == Perspective::Server {
            // gRPC has no trailers of requests, and asking for them takes the connection's lock once more.
            return Poll::Ready(self.decoder.finish().map(|()| Metadata::new()));
        }
        let trailers = ready!(self.source.poll_trailers(cx))?.unwrap_or_default();
        let metadata = status::finish(trailers, StatusCode::OK)?;
        // In this order: a failure explains a message that was cut off, a success contradicts it.
        Poll::Ready(self.decoder.finish().map(|()| metadata))
    }
}
