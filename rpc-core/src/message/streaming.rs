//! A typed stream of messages, to send or to receive.
//!
//! Streams are pulled: a message is encoded when the transport has room for it and read off the wire when the user asks
//! for it, so a slow reader stops the sender and memory stays bounded. Nothing in here buffers.

use std::{
    any::Any,
    fmt,
    future::poll_fn,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    task::{Context as Poller, Poll, ready},
};

use bytes::BytesMut;
use futures_core::Stream;
use tokio::sync::mpsc;

use super::{Incoming, Outgoing};
use crate::{
    Context, Deadline, Metadata, Status,
    codec::MessageCodec,
    context::Expiry,
};

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
    /// Bounds the whole stream, where somebody waits for it.
    deadline: Option<Expiry>,
    from_call: bool,
}

enum Source<T: 'static> {
    Values(Values<T>),
    Messages { incoming: Box<dyn Incoming>, codec: MessageCodec<T> },
    Ended,
}

impl<T: Send + 'static> Streaming<T> {
    /// A stream to send: its items, until the end or the first error, which ends the call.
    pub fn new(stream: impl Stream<Item = Result<T, Status>> + Send + 'static) -> Self {
        Self { source: Source::Values(Box::pin(stream)), trailers: Metadata::new(), ended: false, deadline: None, from_call: false }
    }

    /// A stream of no messages.
    pub fn empty() -> Self {
        Self::from_iter([])
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
        let (sender, receiver) = mpsc::channel(capacity);
        (Sender(sender), Self::new(Receiver(receiver)))
    }

    /// Messages that arrive over a transport.
    pub fn from_incoming(incoming: Box<dyn Incoming>, codec: MessageCodec<T>) -> Self {
        Self { source: Source::Messages { incoming, codec }, trailers: Metadata::new(), ended: false, deadline: None, from_call: false }
    }

    /// Sets the metadata that is sent after the last message.
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
        &self.trailers
    }

    /// The stream as a caller reads it: bounded by the call's deadline, its failures those of a call that was made.
    pub(crate) fn received(mut self, deadline: Option<Deadline>) -> Self {
        self.deadline = deadline.map(Expiry::new);
        self.from_call = true;
        self
    }

    /// The same stream, read in a context: what runs in there belongs to that call, is given up with it, and a panic of
    /// it is a failure of the stream.
    pub(crate) fn in_scope(mut self, context: Context) -> Self {
        let trailers = std::mem::take(&mut self.trailers);
        Self::new(InScope { stream: self, context }).with_trailers(trailers)
    }

    /// The stream with an encoder, as a transport sends it.
    pub(crate) fn into_outgoing(self, codec: MessageCodec<T>) -> Box<dyn Outgoing> {
        Box::new(Encoding { stream: self, codec })
    }

    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<T, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = match self.poll_source(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => match &mut self.deadline {
                Some(expiry) => Some(Err(ready!(expiry.poll_expired(cx)))),
                None => return Poll::Pending,
            },
        };
        if !matches!(item, Some(Ok(_))) {
            self.ended = true;
            // What is not read any more is given up, on the wire as well.
            self.source = Source::Ended;
        }
        Poll::Ready(if self.from_call { item.map(|item| item.map_err(Status::received)) } else { item })
    }

    fn poll_source(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<T, Status>>> {
        match &mut self.source {
            Source::Values(values) => values.as_mut().poll_next(cx),
            Source::Messages { incoming, codec } => {
                let message = ready!(incoming.poll_message(cx));
                if message.is_none() {
                    self.trailers = incoming.take_trailers();
                }
                Poll::Ready(message.map(|message| message.and_then(|bytes| codec.decode(bytes))))
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
        f.debug_struct("Streaming").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Feeds a stream that is being sent. Dropping the last clone ends the stream.
#[derive(Debug)]
pub struct Sender<T>(mpsc::Sender<Result<T, Status>>);

impl<T> Sender<T> {
    /// Sends a message; waits while the stream has no room.
    ///
    /// # Errors
    /// The message, if nobody reads the stream any more: the call ended.
    pub async fn send(&self, message: T) -> Result<(), T> {
        self.0.send(Ok(message)).await.map_err(|rejected| match rejected.0 {
            Ok(message) => message,
            Err(_) => unreachable!("what was sent is a message"),
        })
    }

    /// Ends the stream with a failure; waits while the stream has no room.
    pub async fn fail(self, status: Status) {
        // Nobody reads it any more: then nobody wants to know either.
        let _ = self.0.send(Err(status)).await;
    }

    /// Waits until nobody reads the stream any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct InScope<T: 'static> {
    stream: Streaming<T>,
    context: Context,
}

impl<T: Send + 'static> Stream for InScope<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let poll = || this.context.enter(|| this.stream.poll_message(cx));
        panic::catch_unwind(AssertUnwindSafe(poll))
            .unwrap_or_else(|panic| Poll::Ready(Some(Err(Status::from_panic(&*panic)))))
    }
}

impl<T: 'static> Drop for InScope<T> {
    fn drop(&mut self) {
        if !self.stream.ended {
            self.context.cancellation().cancel();
        }
    }
}

struct Encoding<T: 'static> {
    stream: Streaming<T>,
    codec: MessageCodec<T>,
}

impl<T: Send + 'static> Outgoing for Encoding<T> {
    fn poll_encode(&mut self, cx: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        let item = ready!(self.stream.poll_message(cx));
        Poll::Ready(item.map(|item| item.and_then(|message| self.codec.encode(&message, out))))
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.stream.trailers)
    }

    fn as_any(&mut self) -> &mut dyn Any {
        &mut self.stream
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        Box::new(self.stream)
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

struct Receiver<T>(mpsc::Receiver<Result<T, Status>>);

impl<T> Stream for Receiver<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}
