//! From a REQUEST to a call, or to a failure.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use rpc_core::{
    Body, Context, Deadline, Metadata, Method, MethodDescriptor, OwnedCall, Status,
    context::{Caller, Expiry},
    message::{Encoded, ReceivedCompressed},
    server::Resolved,
};
use tokio::time::Instant;

use super::conn::Conn;
use crate::{
    io::Inbox,
    stream::{Arrival, Receiver, RequestStream},
    wire::{
        Broken, Head, compress, flag,
        request::{self, Definition, UNNUMBERED},
    },
};

/// What a client's number stands for.
#[derive(Debug, Clone)]
pub(super) struct Known {
    resolved: Resolved,
    codec: Cow<'static, str>,
    /// How often its first poll took too long, less how often it did not.
    pub(super) strikes: u8,
    /// How many of its calls were run.
    pub(super) runs: u32,
}

impl Known {
    pub(super) fn method(&self) -> &Method {
        self.resolved.method()
    }

    pub(super) fn is_stream(&self) -> bool {
        let shape = self.resolved.method().shape();
        shape.streams_requests() || shape.streams_responses()
    }
}

/// The methods of a connection, by number.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    known: Vec<Known>,
    /// What the last request without a number was for.
    other: Option<Known>,
}

impl Numbers {
    pub(super) fn get(&mut self, number: u16) -> Option<&mut Known> {
        if number == UNNUMBERED {
            return self.other.as_mut();
        }
        self.known.get_mut(usize::from(number))
    }

    fn define(
        &mut self,
        number: u16,
        definition: &Definition<'_>,
        conn: &Conn,
        limit: u32,
    ) -> Result<(), Broken> {
        let resolved = conn.dispatch.resolve(definition.path);
        let known = Known {
            codec: codec_name(resolved.method(), definition.codec),
            resolved,
            strikes: 0,
            runs: 0,
        };
        if number == UNNUMBERED {
            self.other = Some(known);
        } else if u32::from(number) >= limit {
            return Err(Broken("a method's number is beyond the limit"));
        } else if let Some(place) = self.known.get_mut(usize::from(number)) {
            *place = known;
        } else if usize::from(number) == self.known.len() {
            if self.known.is_empty() {
                // Many clients call one method.
                self.known.reserve_exact(1);
            }
            self.known.push(known);
        } else {
            return Err(Broken("the numbers of methods have a gap"));
        }
        Ok(())
    }
}

/// What a call is made of.
pub(super) struct Request {
    resolved: Resolved,
    codec: Cow<'static, str>,
    deadline: Option<Deadline>,
    metadata: Metadata,
    body: Body<'static>,
    received: Option<ReceivedCompressed>,
}

impl Request {
    /// When its caller stops waiting.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// The call.
    #[inline]
    pub(super) fn into_call(self, caller: &Arc<Caller>) -> OwnedCall {
        let mut context = Context::new()
            .with_deadline(self.deadline)
            .with_caller(Arc::clone(caller));
        if !self.metadata.is_empty() {
            context = context.extract(&self.metadata);
        }
        let mut call = self.resolved.call(self.codec, context, self.body);
        call.metadata = self.metadata;
        if let Some(received) = self.received {
            call.extensions.insert(received);
        }
        call
    }
}

/// A request that may be given to its handler.
pub(super) struct Accepted {
    pub(super) request: Request,
    pub(super) is_stream: bool,
    /// Where the rest of its messages goes.
    pub(super) arrival: Option<Arc<Arrival>>,
}

/// Takes the REQUEST that is next, of which it is known when it was read and what time it is now. What is wrong with the request
/// alone is a status; the connection goes on.
pub(super) fn accept(
    conn: &Arc<Conn>,
    numbers: &mut Numbers,
    inbox: &mut Inbox,
    head: &Head,
    (read_at, now): (Instant, Instant),
    max_methods: u32,
) -> Result<Result<Accepted, Status>, Broken> {
    let request = request::read(head, inbox.payload(head)).ok_or(Broken("a REQUEST is malformed"))?;
    if let Some(definition) = &request.definition {
        numbers.define(head.extra, definition, conn, max_methods)?;
    }
    let known = numbers
        .get(head.extra)
        .ok_or(Broken("a method's number was never said"))?;
    let deadline = request
        .left_ms
        .map(|left| Deadline::at(read_at + Duration::from_millis(u64::from(left))));
    let read = if request.metadata.is_empty() {
        Ok(Metadata::new())
    } else {
        conn.hub.read_metadata(request.metadata)
    };
    let at = request.body;
    let body = inbox.take(head, at);
    let refused = |status: Status| Ok(Err(status.at_method(known.resolved.method())));
    let metadata = match read {
        Ok(metadata) => metadata,
        Err(status) => return refused(status.not_processed()),
    };
    if deadline.is_some_and(|deadline| deadline.instant() <= now) {
        return refused(Expiry::status().not_processed());
    }
    let (resolved, codec) = (known.resolved.clone(), known.codec.clone());
    let is_stream = known.is_stream();
    let messages = match messages(conn, head, body)? {
        Ok(messages) => messages,
        Err(status) => return refused(status),
    };
    let (body, received, arrival) = messages;
    let request = Request {
        resolved,
        codec,
        deadline,
        metadata,
        body,
        received,
    };
    Ok(Ok(Accepted {
        request,
        is_stream,
        arrival,
    }))
}

type Messages = (Body<'static>, Option<ReceivedCompressed>, Option<Arc<Arrival>>);

/// The messages of a request: the one that is there, or those that are yet to come.
fn messages(conn: &Arc<Conn>, head: &Head, body: Bytes) -> Result<Result<Messages, Status>, Broken> {
    let (is_message, compressed, more) = (
        head.has(flag::MESSAGE),
        head.has(flag::COMPRESSED),
        head.has(flag::MORE),
    );
    let limit = conn.hub.max_message_bytes;
    if head.has(flag::END) && is_message && !more {
        let bytes = if compressed {
            match compress::inflate(&body, limit) {
                Ok(bytes) => bytes,
                Err(status) => return Ok(Err(status.not_processed())),
            }
        } else if body.len() > limit {
            return Ok(Err(crate::wire::too_large(limit)));
        } else {
            body
        };
        let received = compressed.then(ReceivedCompressed::new);
        if let Some(received) = &received {
            received.set(true);
        }
        return Ok(Ok((Body::Encoded(Encoded { bytes }), received, None)));
    }
    let arrival = conn.hub.arrival();
    if is_message {
        arrival.push(body, head)?;
    }
    let ends = head.has(flag::END);
    if ends {
        conn.hub.end(head.call, &arrival, Ok(Bytes::new()));
    }
    let observer = ReceivedCompressed::new();
    let receiver = Receiver::new(Arc::clone(&conn.hub), head.call, Arc::clone(&arrival));
    let stream = RequestStream(Some(receiver.observed_by(observer.clone())));
    Ok(Ok((
        Body::Incoming(Box::new(stream)),
        Some(observer),
        (!ends).then_some(arrival),
    )))
}

/// The codec's name, as the method's own static text where it is one of its codecs.
fn codec_name(method: &MethodDescriptor, name: &str) -> Cow<'static, str> {
    match method.codec_names().iter().find(|known| **known == name) {
        Some(known) => Cow::Borrowed(*known),
        None => Cow::Owned(name.to_owned()),
    }
}
