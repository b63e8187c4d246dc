//! Takes the frames that a server sends, and hands over what they bring.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use rpc_core::{
    Status,
    status::{Side, reason},
    transport::supervise::{Phase, Supervised as _},
};

use super::{
    super::{Answer, Connection, Waiting},
    Task, wake,
};
use crate::{
    stream::Arrival,
    wire::{Broken, CallId, Head, flag, goaway, kind, status},
};

/// More answers to pings than this do not wait to be written.
const MAX_PONGS: usize = 16;

impl Task {
    /// Takes the next frame.
    pub(super) fn take(&mut self, head: Head) -> Result<(), Broken> {
        match head.kind {
            kind::REPLY => self.reply(head),
            kind::CHUNK => self.chunk(head),
            kind::END => {
                let metadata = self.metadata(&head);
                self.inbox.skip(&head);
                self.end(head.call, metadata)
            }
            kind::ERROR => {
                let payload = self.inbox.take(&head, 0);
                self.failed(head, payload);
                Ok(())
            }
            kind::CREDIT => {
                let bytes = self.number(&head)?;
                self.connection.hub.credits.grant(head.call, bytes);
                self.inbox.skip(&head);
                Ok(())
            }
            kind::PING => {
                self.pongs += 1;
                if self.pongs > MAX_PONGS {
                    return Err(Broken("too many pings"));
                }
                let payload = self.inbox.take(&head, 0);
                let pong = Head::new(kind::PONG, CallId::default());
                let payload = payload.slice(..payload.len().min(8));
                self.connection
                    .hub
                    .outbox
                    .with(|queue| queue.frame(pong, payload));
                Ok(())
            }
            kind::DRAIN => {
                self.inbox.skip(&head);
                if self.connection.takes_calls() {
                    tracing::debug!(peer = ?self.connection.peer, "the server wants calls to go elsewhere");
                    self.note_use();
                    self.connection.advance(Phase::Draining);
                    let outbox = &self.connection.hub.outbox;
                    // Whoever took it to its phase at the same time may not have got so far yet, and no request is to come behind.
                    outbox.refuse();
                    outbox.with(|queue| queue.bare(kind::DRAIN, CallId::default()));
                }
                Ok(())
            }
            kind::GOAWAY => self.goaway(head),
            kind::PONG => {
                self.inbox.skip(&head);
                Ok(())
            }
            unknown if unknown >= kind::OPTIONAL => {
                self.inbox.skip(&head);
                Ok(())
            }
            _ => Err(Broken("a frame of a kind that a server does not send")),
        }
    }

    fn number(&self, head: &Head) -> Result<u32, Broken> {
        let bytes = self.inbox.payload(head).first_chunk::<4>();
        bytes
            .map(|bytes| u32::from_le_bytes(*bytes))
            .ok_or(Broken("a CREDIT that says not how much"))
    }

    /// The metadata that a frame begins with.
    fn metadata(&self, head: &Head) -> Bytes {
        match usize::from(head.metadata) {
            0 => Bytes::new(),
            length => Bytes::copy_from_slice(&self.inbox.payload(head)[..length]),
        }
    }

    fn reply(&mut self, head: Head) -> Result<(), Broken> {
        let metadata = self.metadata(&head);
        let body = self.inbox.take(&head, usize::from(head.metadata));
        let (ends, more) = (head.has(flag::END), head.has(flag::MORE));
        let (is_message, compressed) = (head.has(flag::MESSAGE), head.has(flag::COMPRESSED));
        let connection = &*self.connection;
        if ends && is_message && !more {
            self.answered = true;
            let answer = Answer::Whole {
                metadata,
                body,
                compressed,
            };
            let waker = with(connection, head.call, |waiting| {
                waiting.is_first()?;
                waiting.settled = true;
                waiting.answer = Some(answer);
                Ok(waiting.waker.take())
            });
            wake(waker.transpose()?.flatten());
            return Ok(());
        }
        self.answered = true;
        let arrival = connection.hub.arrival();
        if is_message {
            arrival.push(body, &head)?;
        }
        if ends {
            connection.hub.end(head.call, &arrival, Ok(Bytes::new()));
        }
        let waker = with(connection, head.call, |waiting| {
            waiting.is_first()?;
            waiting.settled |= ends;
            waiting.arrival = (!ends).then(|| Arc::clone(&arrival));
            waiting.answer = Some(Answer::Opened { metadata, arrival });
            Ok(waiting.waker.take())
        });
        wake(waker.transpose()?.flatten());
        if ends {
            connection.hub.credits.end(head.call);
        }
        Ok(())
    }

    fn chunk(&mut self, head: Head) -> Result<(), Broken> {
        let piece = self.inbox.take(&head, usize::from(head.metadata));
        let connection = &*self.connection;
        let ends = head.has(flag::END);
        let arrival = with(connection, head.call, |waiting| {
            let arrival = waiting.begun()?.clone();
            waiting.settled |= ends;
            Ok(arrival)
        });
        // Of a call that nobody waits for any more.
        let Some(arrival) = arrival.transpose()? else {
            return Ok(());
        };
        let pushed = arrival.push(piece, &head)?;
        connection.hub.pushed(head.call, &arrival, &pushed);
        if ends {
            connection.hub.end(head.call, &arrival, Ok(Bytes::new()));
            connection.hub.credits.end(head.call);
        }
        Ok(())
    }

    /// A stream has come to its end.
    fn end(&mut self, call: CallId, trailers: Bytes) -> Result<(), Broken> {
        let arrival = with(&self.connection, call, |waiting| {
            waiting.begun()?;
            waiting.settled = true;
            Ok(waiting.arrival.take())
        });
        if let Some(arrival) = arrival.transpose()?.flatten() {
            self.connection.hub.end(call, &arrival, Ok(trailers));
        }
        self.connection.hub.credits.end(call);
        Ok(())
    }

    fn failed(&mut self, head: Head, payload: Bytes) {
        self.answered = true;
        let connection = &*self.connection;
        let outcome = with(connection, head.call, |waiting| {
            waiting.settled = true;
            if let Some(arrival) = waiting.arrival.take() {
                return (Some((arrival, payload)), None);
            }
            waiting.answer = Some(Answer::Failed(head, payload));
            (None, waiting.waker.take())
        });
        let Some((stream, waker)) = outcome else { return };
        if let Some((arrival, payload)) = stream {
            // It was begun: its answer was.
            let status = connection.explain(status::read(&head, &payload, None));
            connection.hub.end(head.call, &arrival, Err(status));
        }
        wake(waker);
        connection.hub.credits.end(head.call);
    }

    /// The server goes: it has not begun what came after the last request that it took.
    fn goaway(&mut self, head: Head) -> Result<(), Broken> {
        let payload = self.inbox.take(&head, 0);
        let Some((accepted, rest)) = payload.split_first_chunk::<8>() else {
            return Err(Broken("a GOAWAY that says not what was taken"));
        };
        let accepted = u64::from_le_bytes(*accepted);
        let (why, text) = rest.split_first_chunk::<2>().unwrap_or((&[0; 2], &[]));
        let text = String::from_utf8_lossy(&text[..text.len().min(256)]);
        tracing::debug!(peer = ?self.connection.peer, accepted, %text, "the server goes away");
        self.note_use();
        self.connection.advance(Phase::Draining);
        if u16::from_le_bytes(*why) != goaway::STOPPING {
            let _ = self.connection.loss.set(format!("the server closes it: {text}"));
        }
        // Nobody would tell a call that comes later.
        let refuse = || self.connection.hub.outbox.refuse();
        for (slot, _) in self.connection.slab.all_once(refuse) {
            let waker = {
                let mut waiting = self.connection.waiting(slot);
                // One that is being answered was taken, whatever the server says now.
                let taken = waiting.sequence <= accepted || waiting.arrival.is_some();
                if !waiting.busy || waiting.settled || taken {
                    continue;
                }
                waiting.settled = true;
                waiting.answer = Some(Answer::Lost(self.connection.explain(not_taken()), true));
                waiting.waker.take()
            };
            wake(waker);
        }
        self.connection.alarm.ring();
        Ok(())
    }
}

impl Waiting {
    /// Nothing was answered before.
    fn is_first(&self) -> Result<(), Broken> {
        match self.arrival {
            None => Ok(()),
            Some(_) => Err(Broken("a call was answered twice")),
        }
    }

    /// Where the messages of the answer go, which has begun.
    fn begun(&self) -> Result<&Arc<Arrival>, Broken> {
        self.arrival
            .as_ref()
            .ok_or(Broken("an answer went on before it began"))
    }
}

/// Looks at the call that the peer means; `None` if there is no such call any more.
fn with<R>(connection: &Connection, call: CallId, act: impl FnOnce(&mut Waiting) -> R) -> Option<R> {
    let slot = connection.slab.get(call.slot)?;
    let mut waiting = slot.lock().unwrap_or_else(PoisonError::into_inner);
    let is_it = waiting.busy && waiting.generation == call.generation && !waiting.settled;
    is_it.then(|| act(&mut waiting))
}

fn not_taken() -> Status {
    Status::unavailable("the server is shutting down and did not take the call")
        .with_reason(reason::DRAINING)
        .with_domain(reason::DOMAIN)
        .at_side(Side::Server)
        .not_processed()
}
