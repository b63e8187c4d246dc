//! Messages of one direction of a call, as they arrive.
//!
//! The connection's task puts pieces in, the call takes messages out; what was taken is what the peer may send again. A
//! message that is larger than the credit is paid for by the [`Pool`](super::Pool) while it arrives.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context as Poller, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use rpc_core::Status;

use super::credit::CHUNK_COST;
use crate::wire::{Broken, Head, flag, kind, too_large};

#[derive(Debug)]
pub(crate) struct Arrival(Mutex<Inbound>);

#[derive(Debug)]
struct Inbound {
    queue: VecDeque<Message>,
    partial: Option<Partial>,
    /// How much the peer may send now.
    allowed: u64,
    /// How much was taken and not granted again.
    taken: usize,
    credit: u32,
    limit: usize,
    /// How it ends: with trailing metadata, or a failure.
    end: Option<Result<Bytes, Status>>,
    /// Nobody takes anything any more.
    left: bool,
    waker: Option<Waker>,
}

/// A message that has not arrived completely.
#[derive(Debug, Default)]
struct Partial {
    first: Bytes,
    rest: BytesMut,
    compressed: bool,
    /// What came in CHUNKs.
    credited: usize,
    /// What was paid for by the pool.
    pooled: usize,
    /// For how much the pool was asked.
    asked: usize,
}

/// A message that arrived.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) bytes: Bytes,
    pub(crate) compressed: bool,
    /// What was paid for by the pool and goes back to it.
    pub(crate) pooled: usize,
    /// What the peer may send for it.
    owed: usize,
}

/// What a piece leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// So much more is needed for the message to be completed.
    pub(crate) ask: usize,
    /// A message that had asked is complete, or given up.
    pub(crate) settled: bool,
}

/// What is next.
pub(crate) enum Next {
    /// A message, and how much the peer may send again.
    Message(Message, u32),
    /// The peer needs so much more to complete the message that has begun.
    Ask(usize),
    /// The end.
    End(Result<Bytes, Status>),
}

impl Arrival {
    /// With the credit that the peer has from the beginning, and the largest message.
    pub(crate) fn new(credit: u32, limit: usize) -> Self {
        Self(Mutex::new(Inbound {
            queue: VecDeque::new(),
            partial: None,
            allowed: u64::from(credit),
            taken: 0,
            credit,
            limit,
            end: None,
            left: false,
            waker: None,
        }))
    }

    /// Takes the next piece of a message in, which came in such a frame. The first frame of a call comes without credit.
    pub(crate) fn push(&self, piece: Bytes, head: &Head) -> Result<Pushed, Broken> {
        let mut inbound = self.lock();
        let length = piece.len();
        let credited = head.kind == kind::CHUNK;
        let cost = if credited { length + CHUNK_COST as usize } else { 0 };
        if credited {
            inbound.allowed = inbound
                .allowed
                .checked_sub(cost as u64)
                .ok_or(Broken("more came than was allowed"))?;
        }
        if inbound.left || inbound.end.is_some() {
            return Ok(Pushed::default());
        }
        if !head.has(flag::MESSAGE) && length == 0 && inbound.partial.is_none() {
            // It came for its END, after which no credit is of use.
            return if head.has(flag::END) {
                Ok(Pushed::default())
            } else {
                Err(Broken("a CHUNK with nothing in it"))
            };
        }
        let mut partial = inbound.partial.take().unwrap_or_else(|| Partial {
            compressed: head.has(flag::COMPRESSED),
            ..Partial::default()
        });
        partial.credited += cost;
        let limit = inbound.limit;
        let most = if partial.compressed { packed(limit) } else { limit };
        if partial.first.len() + partial.rest.len() + length > most {
            let settled = partial.asked > 0;
            inbound.pay_back(&partial);
            inbound.end = Some(Err(too_large(limit)));
            Self::wake(inbound);
            return Ok(Pushed { ask: 0, settled });
        }
        if partial.first.is_empty() && partial.rest.is_empty() {
            partial.first = piece;
        } else {
            if partial.rest.is_empty() {
                partial.rest = BytesMut::from(std::mem::take(&mut partial.first));
            }
            partial.rest.extend_from_slice(&piece);
        }
        if head.has(flag::MORE) {
            // While nothing is there to be taken, nothing but this lets the peer go on.
            let ask = if inbound.queue.is_empty() { cost } else { 0 };
            partial.asked += ask;
            inbound.partial = Some(partial);
            return Ok(Pushed { ask, settled: false });
        }
        let settled = partial.asked > 0;
        let (owed, pooled) = (partial.credited.saturating_sub(partial.pooled), partial.pooled);
        let bytes = if partial.rest.is_empty() {
            partial.first
        } else {
            partial.rest.freeze()
        };
        inbound.queue.push_back(Message {
            bytes,
            compressed: partial.compressed,
            pooled,
            owed,
        });
        Self::wake(inbound);
        Ok(Pushed { ask: 0, settled })
    }

    /// A message that asked the pool arrives still, and is waited for.
    pub(super) fn asks(&self) -> bool {
        let inbound = self.lock();
        inbound.end.is_none() && inbound.partial.as_ref().is_some_and(|partial| partial.asked > 0)
    }

    /// The pool pays: the peer may send so much more. False if nobody waits for it any more.
    pub(super) fn paid(&self, bytes: usize) -> bool {
        let mut inbound = self.lock();
        let inbound = &mut *inbound;
        match &mut inbound.partial {
            Some(partial) if inbound.end.is_none() => {
                partial.pooled += bytes;
                inbound.allowed += bytes as u64;
                true
            }
            _ => false,
        }
    }

    /// There is no more. True if a message that had asked the pool is not going to be complete.
    pub(super) fn end(&self, end: Result<Bytes, Status>) -> bool {
        let mut inbound = self.lock();
        let had_asked = inbound.partial.as_ref().is_some_and(|partial| partial.asked > 0);
        inbound.end.get_or_insert(end);
        Self::wake(inbound);
        had_asked
    }

    /// What is next, in order. An end that is a failure does not wait for messages that were not taken.
    pub(crate) fn poll_next(&self, cx: &mut Poller<'_>) -> Poll<Next> {
        let mut inbound = self.lock();
        if let Some(message) = inbound.queue.pop_front() {
            inbound.taken += message.owed;
            let grant = if inbound.end.is_none() && inbound.taken >= inbound.credit as usize / 2 {
                let grant = std::mem::take(&mut inbound.taken);
                inbound.allowed += grant as u64;
                grant as u32
            } else {
                0
            };
            return Poll::Ready(Next::Message(message, grant));
        }
        match &inbound.end {
            Some(Ok(_)) if inbound.partial.is_some() => Poll::Ready(Next::End(Err(Status::internal(
                "the stream ends inside of a message",
            )
            .with_reason(rpc_core::status::reason::PROTOCOL_BROKEN)
            .with_domain(rpc_core::status::reason::DOMAIN)))),
            Some(end) => Poll::Ready(Next::End(end.clone())),
            None => {
                // What came while others were still to be taken.
                if let Some(partial) = &mut inbound.partial
                    && partial.credited > partial.asked
                {
                    let ask = partial.credited - partial.asked;
                    partial.asked += ask;
                    return Poll::Ready(Next::Ask(ask));
                }
                if !inbound
                    .waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()))
                {
                    inbound.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }

    /// Nobody takes anything any more. What was held is dropped; answers how much of it the pool gets back.
    pub(super) fn leave(&self) -> usize {
        let mut inbound = self.lock();
        inbound.left = true;
        let queue = std::mem::take(&mut inbound.queue);
        let partial = inbound.partial.take();
        drop(inbound);
        queue.iter().map(|message| message.pooled).sum::<usize>()
            + partial.map_or(0, |partial| partial.pooled)
    }

    fn wake(mut inbound: MutexGuard<'_, Inbound>) {
        let waker = inbound.waker.take();
        drop(inbound);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbound> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How large a message of so many bytes may be when it is compressed. What cannot be compressed becomes larger by that.
fn packed(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 1000 + (1 << 10))
}

impl Inbound {
    /// What the pool paid for a message that is given up goes back with the next that is taken.
    fn pay_back(&mut self, partial: &Partial) {
        if partial.pooled > 0 {
            self.partial = Some(Partial {
                pooled: partial.pooled,
                ..Partial::default()
            });
        }
    }
}
