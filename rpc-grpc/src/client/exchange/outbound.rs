//! What a call sends, in a form that a second attempt can send again.

use std::{
    any::Any,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Poller, Poll},
};

use bytes::BytesMut;
use rpc_core::{Body, Metadata, Status, message::Outgoing, status::Side};

use crate::{
    body::{Ending, Frames, whole},
    wire::frame::{Data, Encoder, frame_encoded},
};

/// Encodes the one message that a body holds; `None` if it is a stream. The body keeps it.
///
/// # Errors
/// If it cannot be encoded, is too large, or is not there any more.
pub(super) fn encode(body: &Body<'_>, encoder: Encoder) -> Result<Option<Data>, Status> {
    let data = match body {
        Body::Value(value) => whole(&**value, encoder),
        Body::Boxed(value) => whole(&**value, encoder),
        Body::Encoded(message) => frame_encoded(message.bytes.clone(), encoder),
        Body::Outgoing(_) | Body::Arriving(_) | Body::Incoming(_) => return Ok(None),
        _ => Err(Status::internal(
            "the request was taken already, and cannot be sent again",
        )),
    };
    data.map(Some)
        .map_err(|status| status.at_side(Side::Client).not_processed())
}

/// A stream that was lent to an attempt. As long as nothing was taken from it, it can be had back.
pub(super) struct Loan(Option<Arc<Mutex<Lent>>>);

struct Lent {
    stream: Option<Box<dyn Outgoing>>,
    /// Something was taken from it.
    spent: bool,
}

impl Loan {
    /// Takes the stream out of a body, as frames to send.
    pub(super) fn take(body: &mut Body<'_>, encoder: Encoder) -> Result<(Self, Frames), Status> {
        let (loan, body) = match std::mem::replace(body, Body::Empty) {
            Body::Outgoing(stream) => {
                let lent = Arc::new(Mutex::new(Lent {
                    stream: Some(stream),
                    spent: false,
                }));
                (
                    Self(Some(Arc::clone(&lent))),
                    Body::Outgoing(Box::new(Borrowed(lent))),
                )
            }
            body => (Self(None), body),
        };
        Ok((loan, Frames::new(body, encoder, Ending::Stream, Metadata::new())?))
    }

    /// Puts the stream back, if nothing was taken from it.
    pub(super) fn give_back(self, body: &mut Body<'_>) -> bool {
        let Some(lent) = self.0 else { return false };
        let mut lent = lock(&lent);
        match lent.stream.take() {
            Some(stream) if !lent.spent => {
                *body = Body::Outgoing(stream);
                true
            }
            _ => false,
        }
    }
}

struct Borrowed(Arc<Mutex<Lent>>);

impl Outgoing for Borrowed {
    fn poll_encode(&mut self, cx: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>> {
        let mut lent = lock(&self.0);
        let Some(stream) = &mut lent.stream else {
            return Poll::Ready(None);
        };
        let polled = stream.poll_encode(cx, out);
        lent.spent |= polled.is_ready();
        polled
    }

    fn take_trailers(&mut self) -> Metadata {
        lock(&self.0)
            .stream
            .as_mut()
            .map_or_else(Metadata::new, |stream| stream.take_trailers())
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

fn lock(lent: &Mutex<Lent>) -> MutexGuard<'_, Lent> {
    // A stream that panicked is not polled again: whoever polled it ends the call.
    lent.lock().unwrap_or_else(PoisonError::into_inner)
}
