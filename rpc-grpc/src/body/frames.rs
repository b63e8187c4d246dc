//! What is sent, made pull by pull.

use std::task::{Context as Poller, Poll, ready};

use bytes::BytesMut;
use http::HeaderMap;
use rpc_core::{
    Body, Metadata, Status,
    message::{Incoming, Outgoing, SendCompressed, Value},
};

use super::send::UNASKED_BYTES;
use crate::wire::{
    frame::{Data, Encoder, GUESS_BYTES, PREFIX_BYTES, encode_next, encode_value, frame_encoded},
    headers::{self, append_metadata, check_size},
    status,
};

/// Small messages that are there together are put into one buffer up to this size, so that each of a flood of them does
/// not cost a frame. It is what most peers take as one DATA frame.
const BATCH_BYTES: usize = 16 << 10;

/// A buffer of this size that is too small for a batch becomes large enough for all of it at once: one that grows may be copied.
/// Smaller ones double, since that copies little, and what a stream keeps while it is idle is then in proportion to what it
/// sent.
const DOUBLED_BYTES: usize = BATCH_BYTES / 8;

/// A piece of what is sent.
#[derive(Debug)]
pub(crate) enum Part {
    /// DATA; more follows.
    Data(Data),
    /// DATA, and the end.
    Last(Data),
    /// The trailers, and the end.
    Trailers(HeaderMap),
}

/// One message and the end: everything that a direction sends.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) data: Data,
    /// A server's end; a client's is the end of DATA.
    pub(crate) trailers: Option<HeaderMap>,
}

/// Where parts come from: [`Frames`], or an HTTP layer.
pub(crate) trait Parts: Send {
    /// The next part; not to be asked after the last one.
    ///
    /// # Errors
    /// What ends the stream without a proper end: it is to be reset.
    fn poll_part(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Part, Status>>;

    /// Takes the call to be over, for a reason of ours: what is not sent yet is dropped, and the end says why.
    fn fail(&mut self, status: Status);
}

/// How a direction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A client's: the end of the stream. A message that fails breaks it off.
    Stream,
    /// A server's: trailers, which say whether the call succeeded. It fails if its metadata makes them larger than that.
    Trailers { limit_bytes: usize },
}

/// The frames of one direction of a call.
pub(crate) struct Frames {
    source: Source,
    encoder: Encoder,
    switch: Option<SendCompressed>,
    ending: Ending,
    trailers: Metadata,
    buffer: BytesMut,
    /// How much the last batch took: the next one is likely to be of that size.
    last_batch: usize,
    /// A part that was looked at.
    peeked: Option<Part>,
}

enum Source {
    /// One message, encoded.
    Whole(Data),
    Outgoing(Box<dyn Outgoing>),
    /// Messages that arrive from somewhere else and are passed on.
    Incoming(Box<dyn Incoming>),
    /// Nothing more: how it went.
    Done(Result<(), Status>),
    /// The last part was taken.
    Taken,
}

impl Frames {
    /// What is sent for a body. A lent value is encoded here and now.
    ///
    /// `trailers` are the metadata that go after the last message; those of a stream, which come with it, follow them.
    ///
    /// # Errors
    /// If the value cannot be encoded, or is larger than the limit.
    pub(crate) fn new(
        body: Body<'_>,
        encoder: Encoder,
        ending: Ending,
        trailers: Metadata,
    ) -> Result<Self, Status> {
        let source = match body {
            Body::Value(value) => Source::Whole(whole(value, encoder)?),
            Body::Boxed(value) => Source::Whole(whole(&*value, encoder)?),
            Body::Encoded(message) => Source::Whole(frame_encoded(message.bytes, encoder)?),
            Body::Outgoing(stream) => Source::Outgoing(stream),
            Body::Arriving(stream) => Source::Incoming(stream.detach()),
            Body::Incoming(stream) => Source::Incoming(stream),
            _ => Source::Done(Ok(())),
        };
        Ok(Self {
            source,
            encoder,
            switch: None,
            ending,
            trailers,
            buffer: BytesMut::new(),
            last_batch: 0,
            peeked: None,
        })
    }

    /// Sets the switch by which the messages of a stream are compressed or not, one by one.
    pub(crate) fn switched_by(mut self, switch: Option<SendCompressed>) -> Self {
        self.switch = switch;
        self
    }

    /// All there is to send, if it is there and small enough to be sent without waiting for anything: the way of nearly
    /// every unary call. See [`send_whole`](super::send_whole).
    pub(crate) fn take_whole(&mut self) -> Option<Whole> {
        match std::mem::replace(&mut self.source, Source::Taken) {
            Source::Whole(data) if data.len() <= UNASKED_BYTES => {
                let trailers = match self.ending {
                    Ending::Stream => None,
                    Ending::Trailers { limit_bytes } => {
                        Some(Self::trailers(&Ok(()), &self.trailers, limit_bytes))
                    }
                };
                Some(Whole { data, trailers })
            }
            source => {
                self.source = source;
                None
            }
        }
    }

    /// Waits for the first part and looks at it: whether there is a message, or the call failed before it had one.
    pub(crate) fn poll_peek(&mut self, cx: &mut Poller<'_>) -> Poll<Result<&Part, Status>> {
        if self.peeked.is_none() {
            self.peeked = Some(ready!(self.poll_part(cx))?);
        }
        Poll::Ready(Ok(self.peeked.as_ref().expect("it was put there")))
    }

    /// The trailers of a call that went like this, with what is to go in them.
    fn trailers(outcome: &Result<(), Status>, metadata: &Metadata, limit_bytes: usize) -> HeaderMap {
        let failed = |failure: &Status| {
            let mut trailers = HeaderMap::with_capacity(4);
            status::write(failure, limit_bytes, &mut trailers);
            trailers
        };
        if let Err(failure) = outcome {
            return failed(failure);
        }
        // First, for peers that cut off what is too much for them.
        let mut trailers = status::ok();
        if !metadata.is_empty() {
            if let Err(failure) = headers::reserve(&mut trailers, metadata.len()) {
                return failed(&failure);
            }
            append_metadata(metadata, &mut trailers);
            if let Err(failure) = check_size(&trailers, limit_bytes) {
                return failed(&failure);
            }
        }
        trailers
    }

    /// Puts messages into the buffer while it has room and they are there. `Pending` if none is, and the buffer is empty.
    fn poll_fill(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        let mut messages = 0;
        while self.buffer.len() < BATCH_BYTES {
            self.make_room(messages);
            let polled = match &mut self.source {
                Source::Outgoing(stream) => encode_next(
                    &mut **stream,
                    cx,
                    self.encoder,
                    self.switch.as_ref(),
                    &mut self.buffer,
                ),
                _ => return Poll::Ready(()),
            };
            let outcome = match polled {
                Poll::Ready(Some(Ok(()))) => {
                    messages += 1;
                    continue;
                }
                Poll::Ready(Some(Err(status))) => Err(status),
                Poll::Ready(None) => Ok(()),
                Poll::Pending if self.buffer.is_empty() => return Poll::Pending,
                Poll::Pending => return Poll::Ready(()),
            };
            if let Source::Outgoing(mut stream) = std::mem::replace(&mut self.source, Source::Done(outcome)) {
                self.trailers.extend(stream.take_trailers());
            }
        }
        Poll::Ready(())
    }

    /// Makes room for the rest of a batch that holds so many messages, if another one like them has none.
    ///
    /// Before there is a message there is no room either: a stream that waits should not hold what a batch takes.
    fn make_room(&mut self, messages: usize) {
        let (len, capacity) = (self.buffer.len(), self.buffer.capacity());
        let expected = if messages > 1 && capacity >= DOUBLED_BYTES {
            BATCH_BYTES
        } else {
            self.last_batch.min(BATCH_BYTES)
        };
        if messages == 0 || expected <= len {
            return;
        }
        // Messages differ in size, and the last one of a batch ends beyond it.
        let another = (2 * len / messages).clamp(GUESS_BYTES, BATCH_BYTES / 4);
        if capacity - len < another {
            self.buffer.reserve(expected + another - len);
        }
    }

    fn poll_relay(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Data>> {
        let Source::Incoming(stream) = &mut self.source else {
            return Poll::Ready(None);
        };
        let outcome = match ready!(stream.poll_message(cx)) {
            Some(Ok(message)) => match frame_encoded(message, self.encoder.switched(self.switch.as_ref())) {
                Ok(data) => return Poll::Ready(Some(data)),
                Err(status) => Err(status),
            },
            Some(Err(status)) => Err(status),
            None => {
                self.trailers.extend(stream.take_trailers());
                Ok(())
            }
        };
        self.source = Source::Done(outcome);
        Poll::Ready(None)
    }

    fn end(&mut self, outcome: Result<(), Status>) -> Result<Part, Status> {
        match self.ending {
            Ending::Trailers { limit_bytes } => Ok(Part::Trailers(Self::trailers(
                &outcome,
                &self.trailers,
                limit_bytes,
            ))),
            Ending::Stream => outcome.map(|()| Part::Last(Data::default())),
        }
    }
}

impl Parts for Frames {
    fn poll_part(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Part, Status>> {
        if let Some(part) = self.peeked.take() {
            return Poll::Ready(Ok(part));
        }
        ready!(self.poll_fill(cx));
        if !self.buffer.is_empty() {
            self.last_batch = self.buffer.len();
            let data = Data::from(self.buffer.split().freeze());
            if self.ending == Ending::Stream && matches!(self.source, Source::Done(Ok(()))) {
                self.source = Source::Taken;
                return Poll::Ready(Ok(Part::Last(data)));
            }
            return Poll::Ready(Ok(Part::Data(data)));
        }
        if let Some(data) = ready!(self.poll_relay(cx)) {
            return Poll::Ready(Ok(Part::Data(data)));
        }
        Poll::Ready(match std::mem::replace(&mut self.source, Source::Taken) {
            Source::Whole(data) if self.ending == Ending::Stream => Ok(Part::Last(data)),
            Source::Whole(data) => {
                self.source = Source::Done(Ok(()));
                Ok(Part::Data(data))
            }
            Source::Done(outcome) => self.end(outcome),
            Source::Taken => self.end(Ok(())),
            Source::Outgoing(_) | Source::Incoming(_) => unreachable!("they are read to their end above"),
        })
    }

    fn fail(&mut self, status: Status) {
        self.peeked = None;
        self.buffer.clear();
        self.source = Source::Done(Err(status));
    }
}

/// One message, framed, in a buffer of its own.
pub(crate) fn whole(value: &dyn Value, encoder: Encoder) -> Result<Data, Status> {
    // As large as it will be, where that is known: then freezing it takes no second block.
    let len = value.encoded_len().filter(|len| *len <= encoder.limit_bytes);
    let mut out = len.map_or_else(BytesMut::new, |len| BytesMut::with_capacity(PREFIX_BYTES + len));
    encode_value(value, encoder, &mut out)?;
    Ok(out.freeze().into())
}
