//! A typed stream of messages, to send or to receive.
//!
//! Streams are pulled: a message is encoded when the transport has room for it and read off the wire when the user asks
//! for it, so a slow reader stops the sender and memory stays bounded. Nothing in here buffers.

mod end;
mod ends;
mod outgoing;
mod scoped;
mod sender;

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context as Poller, Poll, ready},
};

use futures_core::Stream;

use self::{end::End, ends::Ends, scoped::Scoped};
pub(crate) use self::{end::Received, scoped::Role};
pub use self::{ends::StreamEnd, sender::Sender};
use super::{Incoming, Outgoing, tie::Tie};
use crate::{Context, Metadata, Status, codec::MessageCodec, load::TRAILER};

type Values<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Messages of one direction of a streaming method.
///
/// To receive, ask for one [`message`](Self::message) after the other, or use it as a [`Stream`]. To send, make one
/// from any stream of results, from an iterator, or with [`channel`](Self::channel).
///
/// ```
/// use rpc_core::Streaming;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> rpc_core::Result<()> {
/// let mut numbers = Streaming::from_iter([1, 2, 3]);
/// let mut sum = 0;
/// while let Some(number) = numbers.message().await? {
///     sum += number;
/// }
/// assert_eq!(sum, 6);
/// # Ok(()) }
/// ```
#[must_use = "a stream does nothing unless it is read or sent"]
pub struct Streaming<T: 'static> {
    source: Source<T>,
    trailers: Metadata,
    /// After the end or an error nothing more is asked of the source.
    ended: bool,
    /// What ends it besides its source.
    end: End,
    /// Who is told of the end.
    ends: Ends,
}

enum Source<T: 'static> {
    Values(Values<T>),
    Sent(Box<Scoped<T>>),
    /// In process, what the other side sent, with its own trailers.
    Whole(Box<Streaming<T>>),
    Messages {
        incoming: Box<dyn Incoming>,
        codec: MessageCodec<T>,
    },
    Ended,
}

static NO_TRAILERS: Metadata = Metadata::new();

impl<T: Send + 'static> Streaming<T> {
    /// A stream to send: its items, until the end or the first error, which ends the call.
    ///
    /// It runs in the context of whoever sends it: a request stream in the caller's, a response stream in the handler's.
    /// A panic in it ends the call with INTERNAL.
    pub fn new(stream: impl Stream<Item = Result<T, Status>> + Send + 'static) -> Self {
        Self::of(Source::Values(Box::pin(stream)))
    }

    /// A stream of no messages.
    pub fn empty() -> Self {
        Self::of(Source::Ended)
    }

    /// A stream to send, from values that are there already.
    #[allow(clippy::should_implement_trait, reason = "the trait cannot ask for Send")]
    pub fn from_iter<I>(values: I) -> Self
    where
        I: IntoIterator<Item = T>,
        I::IntoIter: Send + 'static,
    {
        Self::new(Iter(values.into_iter()))
    }

    /// A stream to send and the handle that feeds it. The handle waits while `capacity` messages are on their way.
    ///
    /// # Panics
    /// If `capacity` is 0.
    pub fn channel(capacity: usize) -> (Sender<T>, Self) {
        let (sender, receiver) = sender::channel(capacity);
        (sender, Self::new(receiver))
    }

    /// Messages that arrive over a transport.
    pub fn from_incoming(incoming: Box<dyn Incoming>, codec: MessageCodec<T>) -> Self {
        Self::of(Source::Messages { incoming, codec })
    }

    /// Sets the metadata that is sent after the last message. A stream that was received, and that a handler returns, has besides
    /// what arrives at its end, but for a [load report](crate::load::TRAILER): that is of whoever sent it.
    pub fn with_trailers(mut self, trailers: Metadata) -> Self {
        self.trailers = trailers;
        self
    }

    /// The next message; `None` at the end.
    ///
    /// # Errors
    /// The status that the stream ended with. After an error and after the end it stays at the end.
    ///
    /// # Cancellation
    /// Dropping the future loses no message.
    pub async fn message(&mut self) -> Result<Option<T>, Status> {
        poll_fn(|cx| self.poll_message(cx)).await.transpose()
    }

    /// Metadata that came after the last message; empty before the end.
    pub fn trailers(&self) -> &Metadata {
        if self.ended { &self.trailers } else { &NO_TRAILERS }
    }

    /// A response stream as the caller reads it.
    pub(crate) fn received(self, received: Received) -> Self {
        // In process its trailers are there before its end, but they are not to be seen before it.
        let mut stream = if self.trailers.is_empty() {
            self
        } else {
            Self::of(Source::Whole(Box::new(self)))
        };
        stream.end = End::received(received);
        stream
    }

    /// A request stream as the handler reads it, where it is the caller's own.
    pub(crate) fn tied(mut self, tie: Option<Tie>) -> Self {
        if let Some(tie) = tie {
            self.end = End::tied(tie);
        }
        self
    }

    /// The same stream, run in the context of whoever sends it.
    pub(crate) fn sent_from(mut self, context: Context, role: Role) -> Self {
        let trailers = self.take_trailers();
        Self::of(Source::Sent(Box::new(Scoped::new(self, context, role)))).with_trailers(trailers)
    }

    /// Adds to the metadata that is sent after the last message.
    pub(crate) fn add_trailers(&mut self, trailers: Metadata) {
        self.trailers.extend(trailers);
    }

    /// The stream with an encoder, as a transport sends it.
    pub(crate) fn into_outgoing(self, codec: MessageCodec<T>) -> Box<dyn Outgoing> {
        Box::new(outgoing::Encoding::new(self, codec))
    }

    /// Tells somebody of the end.
    pub(crate) fn on_end(&mut self, end: Box<dyn StreamEnd>) {
        self.ends.push(end);
    }

    fn of(source: Source<T>) -> Self {
        Self {
            source,
            trailers: Metadata::new(),
            ended: false,
            end: End::default(),
            ends: Ends::default(),
        }
    }

    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<T, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let polled = self.poll_source(cx);
        let mut item = ready!(self.end.poll(polled, cx));
        if !matches!(item, Some(Ok(_))) {
            self.end_with(item.as_mut().and_then(|item| item.as_mut().err()));
        }
        Poll::Ready(item)
    }

    /// The trailers, to be sent on. After the end they have what arrived with it.
    fn take_trailers(&mut self) -> Metadata {
        let mut trailers = std::mem::take(&mut self.trailers);
        if self.ended && !trailers.is_empty() {
            trailers.remove(TRAILER);
        }
        trailers
    }

    fn end_with(&mut self, failure: Option<&mut Status>) {
        self.ended = true;
        self.ends.tell(&mut self.trailers, failure);
        // What is not read any more is given up, on the wire as well.
        self.source = Source::Ended;
        self.end = End::default();
    }

    fn poll_source(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<T, Status>>> {
        if let Some(status) = self.end.refused() {
            return Poll::Ready(Some(Err(status)));
        }
        match &mut self.source {
            Source::Values(values) => values.as_mut().poll_next(cx),
            Source::Messages { incoming, codec } => {
                let message = ready!(incoming.poll_message(cx));
                if message.is_none() {
                    self.trailers.extend(incoming.take_trailers());
                }
                Poll::Ready(message.map(|message| message.and_then(|bytes| codec.decode(bytes))))
            }
            Source::Sent(stream) => {
                let message = ready!(stream.poll_message(cx));
                if message.is_none() {
                    self.trailers.extend(stream.take_trailers());
                }
                Poll::Ready(message)
            }
            Source::Whole(stream) => {
                let message = ready!(stream.poll_message(cx));
                if message.is_none() {
                    self.trailers.extend(std::mem::take(&mut stream.trailers));
                }
                Poll::Ready(message)
            }
            Source::Ended => Poll::Ready(None),
        }
    }
}

impl<T: Send + 'static> Stream for Streaming<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}

impl<T> fmt::Debug for Streaming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

struct Iter<I>(I);

/// Nothing borrows from an iterator that is only stepped.
impl<I> Unpin for Iter<I> {}

impl<I: Iterator> Stream for Iter<I> {
    type Item = Result<I::Item, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Streaming<()>>();
    is_send::<Sender<()>>();
};
