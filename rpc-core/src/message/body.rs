//! The body of a call or of a reply, erased.
//!
//! Between a stub and a transport nobody knows the message's type. A typed body carries its encoder with it; the
//! transport has it encoded straight into its write buffer, and the in-process transport takes the value out instead.
//! A stub *lends* its request ([`Body::Value`]), so that an attempt costs no allocation, and one that failed can be
//! followed by another which encodes again. What must outlive the stub's future is moved into a box first.

use std::{
    any::Any,
    fmt,
    task::{Context as Poller, Poll},
};

use bytes::{Bytes, BytesMut};

use super::StreamEnd;
use super::{FieldPath, FieldValue};
use crate::{Metadata, Status};

/// What a call or a reply carries.
#[non_exhaustive]
pub enum Body<'a> {
    /// Nothing: it was taken, or there is none.
    Empty,
    /// One message, lent by whoever made it.
    Value(&'a mut dyn Value),
    /// One message, owned.
    Boxed(Box<dyn Value>),
    /// One message, in the place that the caller lent for it: in process, and only in a reply.
    Placed,
    /// One message, encoded already.
    Encoded(Encoded),
    /// Messages to send.
    Outgoing(Box<dyn Outgoing>),
    /// Messages that arrive, lent by the transport that reads them.
    Arriving(&'a mut dyn Incoming),
    /// Messages that arrive.
    Incoming(Box<dyn Incoming>),
}

impl Body<'_> {
    /// True if there is more to come than what is here: somebody has yet to wait for it.
    pub fn is_arriving(&self) -> bool {
        matches!(self, Self::Outgoing(_) | Self::Arriving(_) | Self::Incoming(_))
    }

    /// Takes the body out and makes it own all that it needs, so that it may outlive the call.
    ///
    /// A lent value is moved into a box: its lender sees it gone.
    pub fn take_owned(&mut self) -> Body<'static> {
        match std::mem::replace(self, Body::Empty) {
            Body::Empty => Body::Empty,
            Body::Placed => Body::Placed,
            Body::Value(value) => value.take().map_or(Body::Empty, Body::Boxed),
            Body::Boxed(value) => Body::Boxed(value),
            Body::Encoded(encoded) => Body::Encoded(encoded),
            Body::Outgoing(stream) => Body::Outgoing(stream),
            Body::Arriving(stream) => Body::Incoming(stream.detach()),
            Body::Incoming(stream) => Body::Incoming(stream),
        }
    }
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Value(_) => "Value",
            Self::Boxed(_) => "Boxed",
            Self::Placed => "Placed",
            Self::Encoded(_) => "Encoded",
            Self::Outgoing(_) => "Outgoing",
            Self::Arriving(_) => "Arriving",
            Self::Incoming(_) => "Incoming",
        })
    }
}

/// One encoded message, without any framing.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The message.
    pub bytes: Bytes,
}

/// A message with its encoder, erased.
pub trait Value: Send {
    /// Appends the encoded message to the buffer. It can be asked again: a retry encodes again.
    ///
    /// # Errors
    /// INTERNAL if the codec cannot write the value, or if it was taken.
    fn encode(&self, out: &mut BytesMut) -> Result<(), Status>;

    /// How many bytes [`encode`](Self::encode) will write, where that is cheap to know.
    fn encoded_len(&self) -> Option<usize>;

    /// Hands out what the message has at a path: once a value, several times where the path says `[*]`, not at all if there is
    /// nothing. False if there is no way to find fields here: the codec has none, or the value was taken.
    fn field(&self, path: &FieldPath, found: &mut dyn FnMut(FieldValue<'_>)) -> bool {
        let _ = (path, found);
        false
    }

    /// Moves value and encoder into a box of their own; `None` if the value was taken.
    fn take(&mut self) -> Option<Box<dyn Value>>;

    /// The [`Typed`](super::Typed) that this is, for who knows the message's type.
    fn as_any(&mut self) -> &mut dyn Any;
}

/// Messages to send, with their encoder, erased.
pub trait Outgoing: Send {
    /// Appends the next encoded message to the buffer; `None` at the end.
    ///
    /// An error ends the stream: it is the last item.
    fn poll_encode(&mut self, cx: &mut Poller<'_>, out: &mut BytesMut) -> Poll<Option<Result<(), Status>>>;

    /// Trailing metadata; asked once, after the end.
    fn take_trailers(&mut self) -> Metadata {
        Metadata::new()
    }

    /// Tells somebody of the end of the stream. One that cannot tell drops it at once, which is what the default does: to
    /// whoever asked, the stream was given up.
    fn on_end(&mut self, end: Box<dyn StreamEnd>) {
        drop(end);
    }

    /// The [`Streaming`](super::Streaming) that this sends, for who knows the message's type and takes it out.
    fn as_any(&mut self) -> &mut dyn Any;
}

/// Messages that arrive, without framing and decompressed.
pub trait Incoming: Send {
    /// The next message; `None` at the end, after which [`take_trailers`](Self::take_trailers) has something.
    ///
    /// Taking a message is what lets the peer send more: a transport grants flow control only for what was taken.
    /// An error ends the stream: it is the last item.
    fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<Bytes, Status>>>;

    /// Trailing metadata, once the end was reached.
    fn take_trailers(&mut self) -> Metadata {
        Metadata::new()
    }

    /// Moves the stream into a box of its own; who lent it sees it empty.
    fn detach(&mut self) -> Box<dyn Incoming>;
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Body<'static>>();
    assert!(size_of::<Body<'static>>() <= 40);
};
