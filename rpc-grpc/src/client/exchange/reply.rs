//! The answer's messages.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use rpc_core::{
    Code, Deadline, Metadata, Status,
    context::Expiry,
    message::Incoming,
    status::{Side, reason},
};

use super::pump::{Pump, RunningPump};
use crate::{
    body::{ByteSource, H2Source, RecvMessages},
    client::{
        ClientConfig,
        connection::{Connection, Slot},
    },
    wire::{
        frame::Decoder,
        status::{self, Perspective},
    },
};

/// DATA and trailers of an answer. It holds the call's slot, and what is left of the request: both end with it.
pub(crate) struct ReplySource {
    source: H2Source,
    pump: Option<RunningPump>,
    metadata_limit_bytes: usize,
    deadline: Option<Deadline>,
    /// The stream need not be reset when this is dropped: it was read to its end, or the peer has broken it off.
    is_over: bool,
    slot: Slot,
}

impl ReplySource {
    pub(crate) fn new(
        stream: h2::RecvStream,
        config: &ClientConfig,
        deadline: Option<Deadline>,
        is_over: bool,
        slot: Slot,
    ) -> Self {
        Self {
            source: H2Source::new(stream, Perspective::Client, config.owed_bytes()),
            pump: None,
            metadata_limit_bytes: config.max_metadata_bytes,
            deadline,
            is_over,
            slot,
        }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        self.slot.connection()
    }

    fn explain(&mut self, status: Status) -> Status {
        // We reset it because its request broke off: then that is what happened.
        let ours = status.reason() == Some(reason::CALLER_GONE);
        self.is_over = !ours;
        match &self.pump {
            Some(pump) if ours => pump.failure().unwrap_or(status),
            _ => overdue(status, self.deadline),
        }
    }
}

impl ByteSource for ReplySource {
    fn poll_data(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let data = ready!(self.source.poll_data(cx));
        Poll::Ready(data.map(|data| data.map_err(|status| self.explain(status))))
    }

    fn poll_trailers(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Option<HeaderMap>, Status>> {
        let mut trailers = ready!(self.source.poll_trailers(cx)).map_err(|status| self.explain(status))?;
        self.is_over = true;
        if let Some(trailers) = &mut trailers {
            status::fit(trailers, self.metadata_limit_bytes)?;
        }
        Poll::Ready(Ok(trailers))
    }
}

impl Drop for ReplySource {
    fn drop(&mut self) {
        let sends = self.pump.as_ref().is_some_and(RunningPump::is_running);
        if !self.is_over || sends {
            self.connection().note_reset();
        }
    }
}

/// Reads the one message of an answer, and its end, while the request is still being sent.
pub(crate) struct Collect {
    source: ReplySource,
    decoder: Decoder,
    pump: Pump,
    message: Option<Bytes>,
    data_ended: bool,
}

impl Collect {
    pub(crate) fn new(source: ReplySource, decoder: Decoder, pump: Pump) -> Self {
        Self {
            source,
            decoder,
            pump,
            message: None,
            data_ended: false,
        }
    }

    fn poll_end(&mut self, cx: &mut Poller<'_>) -> Poll<Result<Metadata, Status>> {
        let _ = self.pump.poll(cx);
        while !self.data_ended {
            while let Some(next) = self.decoder.next()? {
                if self.message.replace(next).is_some() {
                    return Poll::Ready(Err(miscounted("several")));
                }
            }
            // Nothing but the end is due after the message, and mostly it is there: asking for it at once saves a question,
            // which takes the connection's lock.
            if self.message.is_some()
                && let Poll::Ready(trailers) = self.source.poll_trailers(cx)
            {
                return Poll::Ready(self.end(trailers?));
            }
            match ready!(self.source.poll_data(cx)) {
                Some(data) => self.decoder.push(data?),
                None => self.data_ended = true,
            }
        }
        let trailers = ready!(self.source.poll_trailers(cx))?;
        Poll::Ready(self.end(trailers))
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<Metadata, Status> {
        let metadata = status::finish(trailers.unwrap_or_default(), http::StatusCode::OK)?;
        // In this order: a failure explains a message that was cut off, a success contradicts it.
        self.decoder.finish()?;
        Ok(metadata)
    }
}

impl Drop for Collect {
    fn drop(&mut self) {
        self.source.is_over &= !self.pump.is_running();
    }
}

impl Future for Collect {
    type Output = Result<(Bytes, Metadata), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        let collected = ready!(self.poll_end(cx));
        Poll::Ready(match collected {
            Ok(metadata) => match self.message.take() {
                Some(message) => Ok((message, metadata)),
                None => Err(miscounted("none").with_metadata(metadata)),
            },
            Err(status) if status.reason() == Some(reason::CALLER_GONE) => {
                Err(self.pump.take_failure().unwrap_or(status))
            }
            Err(status) => Err(status),
        })
    }
}

/// The messages of a streaming answer, as they are handed out.
pub(crate) struct ReplyStream<M: ?Sized = RecvMessages<ReplySource>> {
    connection: Arc<Connection>,
    messages: Box<M>,
}

impl ReplyStream {
    pub(crate) fn new(mut source: ReplySource, decoder: Decoder, pump: Pump) -> Self {
        source.pump = pump.spawn();
        let connection = Arc::clone(source.connection());
        let messages = RecvMessages::new(source, decoder, Perspective::Client);
        Self {
            connection,
            messages: Box::new(messages),
        }
    }
}

impl<M: Incoming + ?Sized + 'static> Incoming for ReplyStream<M> {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let message = ready!(self.messages.poll_message(cx));
        Poll::Ready(message.map(|message| message.map_err(|status| self.connection.explain(blamed(status)))))
    }

    fn take_trailers(&mut self) -> Metadata {
        self.messages.take_trailers()
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(ReplyStream {
            messages: self.messages.detach(),
            connection: Arc::clone(&self.connection),
        })
    }
}

/// An answer that ended without a message.
pub(crate) struct NoMessages(pub(crate) Metadata);

impl Incoming for NoMessages {
    fn poll_message(&mut self, _: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        Poll::Ready(None)
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.0)
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(std::mem::take(&mut self.0)))
    }
}

/// A server that keeps the deadline, too, may reset the stream before our own timer fires, which is never early and can be
/// late. That is the deadline, and no cancellation.
pub(super) fn overdue(status: Status, deadline: Option<Deadline>) -> Status {
    let cancelled = status.code() == Code::Cancelled && status.reason() == Some(reason::STREAM_RESET);
    if cancelled && deadline.is_some_and(Deadline::has_passed) {
        return Expiry::status().at_side(Side::Server).with_source(status);
    }
    status
}

/// Says whose side it was that an answer could not be read: ours for what is beyond our limits, else the server's.
pub(super) fn blamed(status: Status) -> Status {
    let ours = matches!(
        status.reason(),
        Some(reason::MESSAGE_TOO_LARGE | reason::METADATA_TOO_LARGE)
    );
    status.at_side(if ours { Side::Client } else { Side::Server })
}

pub(super) fn miscounted(found: &str) -> Status {
    Status::unimplemented(format!(
        "exactly one message is due in the answer, there was {found}"
    ))
    .with_reason(reason::MESSAGE_COUNT)
    .with_domain(reason::DOMAIN)
    .at_side(Side::Server)
}
