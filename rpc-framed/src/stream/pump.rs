//! The writing end of a direction: a message that is too large for one frame, or a stream.
//!
//! A piece goes into the queue when the peer takes it and there is room, so that what is held is one message and the queue
//! is bounded; others get their turn between two pieces.

use std::{
    sync::Arc,
    task::{Context as Poller, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use rpc_core::{
    Metadata, Status,
    message::{Outgoing, SendCompressed},
    status::reason,
};

use super::{Credit, Hub};
use crate::{
    Compression,
    io::{Place, Queue},
    wire::{CallId, Head, compress, flag, kind, metadata},
};

/// What one turn may send before others get theirs.
const TURN_BYTES: usize = 256 << 10;

/// How the messages of one direction are coded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Coding {
    pub(crate) compression: Option<Compression>,
    pub(crate) switch: Option<SendCompressed>,
    /// The largest message that is sent, before compression.
    pub(crate) limit: usize,
}

impl Coding {
    /// How the next message is compressed.
    pub(crate) fn now(&self) -> Option<Compression> {
        self.compression
            .filter(|_| self.switch.as_ref().is_none_or(SendCompressed::get))
    }

    /// # Errors
    /// RESOURCE_EXHAUSTED if so many bytes are too many.
    pub(crate) fn check(&self, bytes: usize) -> Result<(), Status> {
        if bytes <= self.limit.min(u32::MAX as usize / 2) {
            return Ok(());
        }
        let limit = self.limit;
        Err(
            Status::resource_exhausted(format!("the message is of {bytes} bytes, the limit is {limit}"))
                .with_reason(reason::MESSAGE_TOO_LARGE)
                .with_domain(reason::DOMAIN),
        )
    }

    /// The message as it is sent, and whether it is compressed.
    pub(crate) fn pack(&self, message: Bytes) -> Result<(Bytes, bool), Status> {
        self.check(message.len())?;
        match self.now() {
            Some(compression) => Ok((compress::deflate(compression, &message)?, true)),
            None => Ok((message, false)),
        }
    }
}

/// Sends what is left of a direction. Dropping it sends nothing: who drops it says how the call ends.
pub(crate) struct Pump {
    hub: Arc<Hub>,
    call: CallId,
    credit: Arc<Credit>,
    coding: Coding,
    /// `None` once all was taken from it.
    stream: Option<Box<dyn Outgoing>>,
    /// Something was taken from it.
    spent: bool,
    scratch: BytesMut,
    /// What is left of the message that is being sent.
    rest: Option<Rest>,
    trailers: Metadata,
    /// Where it waits for room.
    place: Place,
    done: bool,
}

struct Rest {
    bytes: Bytes,
    compressed: bool,
}

impl Pump {
    /// The rest of one message whose beginning was sent, and `trailers` after it.
    pub(crate) fn rest(hub: Arc<Hub>, call: CallId, bytes: Bytes, trailers: Metadata) -> Self {
        let rest = Rest {
            bytes,
            compressed: false,
        };
        Self::new(hub, call, Coding::default(), None, Some(rest), trailers)
    }

    /// A stream.
    pub(crate) fn stream(hub: Arc<Hub>, call: CallId, stream: Box<dyn Outgoing>, coding: Coding) -> Self {
        Self::new(hub, call, coding, Some(stream), None, Metadata::new())
    }

    fn new(
        hub: Arc<Hub>,
        call: CallId,
        coding: Coding,
        stream: Option<Box<dyn Outgoing>>,
        rest: Option<Rest>,
        trailers: Metadata,
    ) -> Self {
        let credit = hub.credits.open(call, hub.peer.credit_bytes);
        Self {
            hub,
            call,
            credit,
            coding,
            stream,
            spent: false,
            scratch: BytesMut::new(),
            rest,
            trailers,
            place: Place::default(),
            done: false,
        }
    }

    /// Looks whether the stream fails at once; if it does not, `open` says that it begins.
    ///
    /// # Errors
    /// What it fails with: nothing was said of it.
    pub(crate) fn peek(&mut self, cx: &mut Poller<'_>, open: impl FnOnce(&mut Queue)) -> Result<(), Status> {
        match self.poll_first(cx) {
            Poll::Ready(Err(status)) => {
                self.done = true;
                Err(status)
            }
            // It may have been given up while the stream was asked.
            _ if self.credit.is_over() => {
                self.done = true;
                Ok(())
            }
            Poll::Ready(Ok(true)) => {
                self.hub.outbox.with(|queue| {
                    open(queue);
                    queue.end(self.call, &self.trailers);
                });
                Ok(())
            }
            _ => {
                self.hub.outbox.with(open);
                Ok(())
            }
        }
    }

    /// Takes the stream back, if nothing was taken from it.
    pub(crate) fn into_stream(mut self) -> Option<Box<dyn Outgoing>> {
        self.stream.take().filter(|_| !self.spent)
    }

    /// Sends all. Ready when the end is in the queue, or the peer wants no more of it.
    ///
    /// # Errors
    /// What the stream failed with: nothing was said of it.
    pub(crate) fn poll(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), Status>> {
        let mut turn = TURN_BYTES;
        while !self.done {
            if self.rest.is_some() {
                if !ready!(self.poll_rest(cx, &mut turn)) {
                    self.done = true;
                    break;
                }
                if turn == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                continue;
            }
            if self.stream.is_none() {
                self.done = true;
                break;
            }
            match self.poll_pull(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(status)) => {
                    self.done = true;
                    return Poll::Ready(Err(status));
                }
                Poll::Pending => {
                    ready!(self.credit.poll_over(cx));
                    self.done = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the next message from the stream; or its end, and says so.
    fn poll_pull(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), Status>> {
        let ended = ready!(self.poll_first(cx))?;
        if ended && !self.credit.is_over() {
            self.hub.outbox.with(|queue| queue.end(self.call, &self.trailers));
        }
        Poll::Ready(Ok(()))
    }

    /// Takes the next message from the stream; true at its end.
    fn poll_first(&mut self, cx: &mut Poller<'_>) -> Poll<Result<bool, Status>> {
        let Some(stream) = self.stream.as_mut() else {
            return Poll::Ready(Ok(false));
        };
        self.scratch.clear();
        let item = ready!(stream.poll_encode(cx, &mut self.scratch));
        self.spent = true;
        match item {
            Some(Ok(())) => {
                let (bytes, compressed) = self.coding.pack(self.scratch.split().freeze())?;
                self.rest = Some(Rest { bytes, compressed });
                Poll::Ready(Ok(false))
            }
            Some(Err(status)) => {
                self.stream = None;
                Poll::Ready(Err(status))
            }
            None => {
                self.trailers = stream.take_trailers();
                self.stream = None;
                metadata::check_entries([&self.trailers], self.hub.metadata_limit())?;
                Poll::Ready(Ok(true))
            }
        }
    }

    /// Sends the message that is there; false if the peer wants no more.
    fn poll_rest(&mut self, cx: &mut Poller<'_>, turn: &mut usize) -> Poll<bool> {
        while let Some(rest) = &mut self.rest {
            ready!(self.hub.outbox.poll_room(&mut self.place, cx));
            let wanted = rest.bytes.len().min(self.hub.peer.max_frame_bytes as usize);
            let Some(taken) = ready!(self.credit.poll_take(cx, wanted)) else {
                return Poll::Ready(false);
            };
            let piece = rest.bytes.split_to(taken);
            let more = !rest.bytes.is_empty();
            let last = !more && self.stream.is_none();
            let mut flags = flag::MESSAGE;
            flags |= if more { flag::MORE } else { 0 };
            flags |= if rest.compressed { flag::COMPRESSED } else { 0 };
            let ends = last && self.trailers.is_empty();
            flags |= if ends { flag::END } else { 0 };
            let head = Head {
                flags,
                ..Head::new(kind::CHUNK, self.call)
            };
            self.hub.outbox.with(|queue| {
                queue.frame(head, piece);
                if last && !ends {
                    queue.end(self.call, &self.trailers);
                }
            });
            if !more {
                self.rest = None;
            }
            *turn = turn.saturating_sub(taken.max(64));
            if *turn == 0 {
                break;
            }
        }
        Poll::Ready(true)
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.hub.outbox.leave(&mut self.place);
        self.hub.credits.close(self.call, &self.credit);
    }
}

impl Future for Pump {
    type Output = Result<(), Status>;

    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        Self::poll(&mut self, cx)
    }
}
