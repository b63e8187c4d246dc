//! What comes back: the reply in one frame, or the beginning of one.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll, ready},
};

use bytes::Bytes;
use rpc_core::{
    Body, Metadata, Reply, Status,
    message::{Encoded, Incoming, ReceivedCompressed},
    status::{Side, reason},
};

use super::{
    connection::Connection,
    exchange::{UnderWay, poll_requests},
};
use crate::{
    stream::{End, Pump, Receiver},
    wire::{CallId, compress},
};

/// The reply that came in one frame.
pub(super) fn whole(
    connection: &Connection,
    metadata: &[u8],
    body: Bytes,
    compressed: bool,
    streams: bool,
) -> Result<Reply, Status> {
    let bytes = if compressed {
        compress::inflate(&body, connection.hub.max_message_bytes)?
    } else if body.len() > connection.hub.max_message_bytes {
        return Err(crate::wire::too_large(connection.hub.max_message_bytes));
    } else {
        body
    };
    let mut reply = Reply::new(if streams {
        Body::Incoming(Box::new(One(Some(bytes))))
    } else {
        Body::Encoded(Encoded { bytes })
    });
    if compressed {
        let received = ReceivedCompressed::new();
        received.set(true);
        reply.extensions.insert(received);
    }
    if !metadata.is_empty() {
        reply.metadata = connection.hub.read_metadata(metadata)?;
    }
    Ok(reply)
}

/// The reply whose beginning came.
pub(super) async fn opened(
    metadata: Bytes,
    receiver: Receiver,
    under_way: UnderWay<'_>,
    pump: Option<Box<Pump>>,
    streams: bool,
) -> Result<Reply, Status> {
    let metadata = under_way.hub().read_metadata(&metadata)?;
    let observer = ReceivedCompressed::new();
    let receiver = receiver.observed_by(observer.clone());
    let mut reply = Reply::new(Body::Empty);
    reply.metadata = metadata;
    reply.extensions.insert(observer);
    if streams {
        reply.body = Body::Incoming(Box::new(ReplyStream::new(receiver, under_way.detach(), pump)));
        return Ok(reply);
    }
    let (bytes, trailers) = collect(receiver, under_way, pump).await?;
    reply.body = Body::Encoded(Encoded { bytes });
    reply.trailers = trailers;
    Ok(reply)
}

/// Reads the one message of an answer, and its end.
async fn collect(
    mut receiver: Receiver,
    _under_way: UnderWay<'_>,
    mut pump: Option<Box<Pump>>,
) -> Result<(Bytes, Metadata), Status> {
    let mut message = None;
    let end: End = poll_fn(|cx| {
        if let Some(pump) = &mut pump
            && let Poll::Ready(Err(status)) = poll_requests(pump, cx)
        {
            return Poll::Ready(Err(status.at_side(Side::Client)));
        }
        loop {
            match ready!(receiver.poll_next(cx)) {
                Ok(next) if message.is_none() => message = Some(next),
                Ok(_) => return Poll::Ready(Err(miscounted("several"))),
                Err(end) => return Poll::Ready(end),
            }
        }
    })
    .await;
    let trailers = end?;
    match message {
        Some(message) => Ok((message, trailers)),
        None => Err(miscounted("none").with_metadata(trailers)),
    }
}

/// A call whose answer is being read. Dropped, it is given up unless it has ended.
pub(super) struct Open {
    pub(super) connection: Arc<Connection>,
    pub(super) id: CallId,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.connection.end(self.id);
    }
}

/// The messages of a streaming answer, as they are handed out.
struct ReplyStream(Option<Reading>, Metadata);

struct Reading {
    /// Before what ends the call: it gives back what it holds.
    receiver: Receiver,
    /// What is left of the request goes on in a task of its own, which ends with the answer.
    pump: Option<Running>,
    open: Open,
}

impl ReplyStream {
    fn new(receiver: Receiver, open: Open, pump: Option<Box<Pump>>) -> Self {
        let pump = pump.map(Running::start);
        Self(Some(Reading { receiver, pump, open }), Metadata::new())
    }
}

impl Incoming for ReplyStream {
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        let Some(reading) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let failed = reading.pump.as_mut().and_then(|pump| pump.poll_failure(cx));
        let item = match failed {
            Some(status) => Some(Err(status.at_side(Side::Client))),
            None => match ready!(reading.receiver.poll_next(cx)) {
                Ok(message) => return Poll::Ready(Some(Ok(message))),
                Err(Ok(trailers)) => {
                    self.1 = trailers;
                    None
                }
                Err(Err(status)) => Some(Err(reading.open.connection.explain(blamed(status)))),
            },
        };
        self.0 = None;
        Poll::Ready(item)
    }

    fn take_trailers(&mut self) -> Metadata {
        std::mem::take(&mut self.1)
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(self.0.take(), std::mem::take(&mut self.1)))
    }
}

/// A request stream that outlives the attempt.
struct Running(Option<tokio::task::JoinHandle<Result<(), Status>>>);

impl Running {
    fn start(mut pump: Box<Pump>) -> Self {
        let sending = poll_fn(move |cx| poll_requests(&mut pump, cx));
        Self(Some(tokio::spawn(sending)))
    }

    /// What it failed with, if it did.
    fn poll_failure(&mut self, cx: &mut Poller<'_>) -> Option<Status> {
        let Poll::Ready(ended) = Pin::new(self.0.as_mut()?).poll(cx) else {
            return None;
        };
        self.0 = None;
        match ended {
            Ok(sent) => sent.err(),
            // What the stream panicked with when it was dropped. Who aborts the task is not here to ask.
            Err(error) => error
                .try_into_panic()
                .ok()
                .map(|panic| Status::from_stream_panic(&*panic)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// A streaming answer of one message that came in one frame.
struct One(Option<Bytes>);

impl Incoming for One {
    fn poll_message(&mut self, _: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        Poll::Ready(self.0.take().map(Ok))
    }

    fn detach(&mut self) -> Box<dyn Incoming> {
        Box::new(Self(self.0.take()))
    }
}

/// Says whose side it was that an answer could not be read: ours for what is beyond our limits, else the server's.
pub(super) fn blamed(status: Status) -> Status {
    let ours = matches!(
        status.reason(),
        Some(reason::MESSAGE_TOO_LARGE | reason::METADATA_TOO_LARGE)
    );
    status.at_side(if ours { Side::Client } else { Side::Server })
}

fn miscounted(found: &str) -> Status {
    Status::unimplemented(format!(
        "exactly one message is due in the answer, there was {found}"
    ))
    .with_reason(reason::MESSAGE_COUNT)
    .with_domain(reason::DOMAIN)
    .at_side(Side::Server)
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<ReplyStream>();
};
