//! The reading end of a direction.

use std::{
    sync::Arc,
    task::{Context as Poller, Poll, ready},
};

use bytes::Bytes;
use rpc_core::{
    Metadata, Status,
    message::{Incoming, ReceivedCompressed},
};

use super::{Arrival, Hub, Pushed, arrival::Next};
use crate::wire::{CallId, compress};

/// Takes messages and gives credit for them.
#[derive(Debug)]
pub(crate) struct Receiver {
    hub: Arc<Hub>,
    call: CallId,
    arrival: Arc<Arrival>,
    observed: Option<ReceivedCompressed>,
}

/// How a direction ended.
pub(crate) type End = Result<Metadata, Status>;

impl Receiver {
    pub(crate) fn new(hub: Arc<Hub>, call: CallId, arrival: Arc<Arrival>) -> Self {
        Self {
            hub,
            call,
            arrival,
            observed: None,
        }
    }

    /// Tells an observer of each message whether it came compressed.
    pub(crate) fn observed_by(mut self, observer: ReceivedCompressed) -> Self {
        self.observed = Some(observer);
        self
    }

    /// The next message, or the end. Not to be asked again after the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Bytes, End>> {
        let (message, grant) = loop {
            match ready!(self.arrival.poll_next(cx)) {
                Next::Message(message, grant) => break (message, grant),
                Next::Ask(ask) => {
                    let pushed = Pushed { ask, settled: false };
                    self.hub.pushed(self.call, &self.arrival, &pushed);
                }
                Next::End(Ok(trailers)) => return Poll::Ready(Err(self.hub.read_metadata(&trailers))),
                Next::End(Err(status)) => return Poll::Ready(Err(Err(status))),
            }
        };
        if grant > 0 {
            self.hub.outbox.with(|queue| queue.credit(self.call, grant));
        }
        self.hub.release(message.pooled);
        if let Some(observer) = &self.observed {
            observer.set(message.compressed);
        }
        if !message.compressed {
            return Poll::Ready(Ok(message.bytes));
        }
        Poll::Ready(compress::inflate(&message.bytes, self.hub.max_message_bytes).map_err(Err))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.hub.leave(self.call, &self.arrival);
    }
}

/// A request's messages, as a handler reads them.
pub(crate) struct RequestStream(pub(crate) Option<Receiver>);

impl Incoming for RequestStream {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(receiver) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let item = match ready!(receiver.poll_next(cx)) {
            Ok(message) => return Poll::Ready(Some(Ok(message))),
            Err(Ok(_)) => None,
            Err(Err(status)) => Some(Err(status)),
        };
        self.0 = None;
        Poll::Ready(item)
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(self.0.take()))
    }
}
