//! One connection, as calls see it.

mod establish;
mod line;
mod task;

use std::{
    borrow::Cow,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context as Poller, Poll, Waker},
};

use bytes::Bytes;
use rpc_core::{
    Deadline, Metadata, Method, Status,
    context::woken_by,
    message::Value,
    net::Address,
    transport::{
        Io,
        connection::Alarm,
        supervise::{Life, Phase, Supervised},
    },
};
use tokio::time::Instant;

use self::line::Line;
pub(super) use self::{establish::establish, task::Task};
use super::slab::Slab;
use crate::{
    io::{Queue, Turn, check_written},
    stream::{Arrival, Hub, lost},
    wire::{
        CallId, Head, flag, kind, metadata,
        request::{self, UNNUMBERED},
    },
};

/// A connection. Its calls share it, and so does its task.
pub(crate) struct Connection {
    pub(crate) hub: Arc<Hub>,
    pub(crate) local: Option<Address>,
    pub(crate) peer: Option<Arc<Address>>,
    slab: Slab<Waiting>,
    io: Mutex<Box<dyn Io>>,
    /// A write that fails may have sent a part before, as TLS does.
    fails_late: bool,
    life: Life,
    /// A call was answered on it.
    of_use: AtomicBool,
    /// Why it was lost.
    loss: OnceLock<String>,
    alarm: Alarm,
    /// The calls that wait for a slot.
    line: Line,
}

/// A call that waits for its answer.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    generation: u16,
    busy: bool,
    /// The how manyeth request of the connection it is.
    sequence: u64,
    /// Where it begins in all that is written.
    begins_at: u64,
    waker: Option<Waker>,
    /// When the task wakes it without an answer; `None` once it did.
    deadline: Option<Deadline>,
    answer: Option<Answer>,
    /// Where further messages go.
    arrival: Option<Arc<Arrival>>,
    /// The server has ended the call.
    settled: bool,
}

/// What came for a call, as it came.
#[derive(Debug)]
pub(crate) enum Answer {
    /// All of it.
    Whole {
        metadata: Bytes,
        body: Bytes,
        compressed: bool,
    },
    /// The beginning of it.
    Opened { metadata: Bytes, arrival: Arc<Arrival> },
    /// A failure, read by who waits for it.
    Failed(Head, Bytes),
    /// There is none to come. True if the server has certainly not begun.
    Lost(Status, bool),
}

/// The message that a request begins with.
pub(crate) enum Opening<'a> {
    /// Its size is known, and fits into a frame.
    Value(&'a dyn Value),
    /// It was encoded beside.
    Aside(bytes::BytesMut),
    /// It is there, or the beginning of it is.
    Bytes {
        bytes: Bytes,
        compressed: bool,
        more: bool,
    },
    /// A stream follows.
    Stream,
}

/// What a request says before its message.
#[derive(Clone, Copy)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a Method,
    pub(crate) codec: &'a Cow<'static, str>,
    /// The user's, and what the context adds.
    pub(crate) metadata: &'a Metadata,
    pub(crate) context: &'a Metadata,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) left_ms: Option<u32>,
}

/// Why nothing was sent.
pub(crate) enum NotSent {
    /// The connection takes no calls any more.
    Gone,
    /// Too much waits to be written already, or others wait for room: to be sent again once there is [room](Connection::room).
    Full,
    /// The request cannot be sent over any connection.
    Refused(Status),
}

impl Connection {
    /// Adds to a status of a call on this connection where that was.
    pub(crate) fn explain(&self, status: Status) -> Status {
        status.at_addresses(self.local.as_ref(), self.peer.as_deref())
    }

    /// What a call ends with that the connection took along.
    fn lost(&self) -> Status {
        lost(self.loss.get().map_or("it was closed", String::as_str))
    }

    /// Waits until there is room for a request, or the connection takes none any more.
    #[cold]
    pub(crate) async fn room(&self) {
        let mut room = self.hub.outbox.room();
        poll_fn(|cx| {
            // Looked at after it is known whom to wake, so that either is heard of.
            let polled = Pin::new(&mut room).poll(cx);
            if self.hub.outbox.lock().refuses {
                return Poll::Ready(());
            }
            polled
        })
        .await;
    }

    /// Sends a request from a slot. `waker` is woken when something comes for it, and at its deadline.
    pub(crate) fn send(
        &self,
        slot: u32,
        turn: Turn,
        head: &RequestHead<'_>,
        opening: Opening<'_>,
        waker: &Waker,
    ) -> Result<CallId, NotSent> {
        request::check(head.method.path(), head.codec).map_err(NotSent::Refused)?;
        let mut queue = self.hub.outbox.lock();
        if queue.refuses || queue.is_closed() {
            return Err(NotSent::Gone);
        }
        if queue.holds_back(turn) {
            return Err(NotSent::Full);
        }
        // Settled while the queue is held: what the server says of its number can only come afterwards.
        let sequence = queue.requests + 1;
        let id = self.occupy(slot, sequence, queue.position(), head.deadline, waker);
        if let Err(why) = self.append(&mut queue, id, head, opening) {
            drop(queue);
            self.waiting(slot).busy = false;
            return Err(why);
        }
        queue.requests = sequence;
        let is_first = head
            .deadline
            .is_some_and(|at| queue.looks_at.is_none_or(|looks_at| at < looks_at));
        if is_first {
            queue.looks_at = head.deadline;
        }
        // With others there is something to gather.
        let alone = if self.slab.taken() == 1 {
            queue.take_alone()
        } else {
            None
        };
        let told = if alone.is_none() { queue.tell() } else { None };
        drop(queue);
        if is_first {
            self.alarm.ring();
        }
        if let Some(task) = told {
            task.wake();
        }
        if let Some(alone) = alone {
            alone.write(&self.hub.outbox, &self.io, self.fails_late);
        }
        Ok(id)
    }

    fn occupy(
        &self,
        slot: u32,
        sequence: u64,
        begins_at: u64,
        deadline: Option<Deadline>,
        waker: &Waker,
    ) -> CallId {
        let mut waiting = self.waiting(slot);
        waiting.generation = waiting.generation.wrapping_add(1);
        waiting.busy = true;
        waiting.settled = false;
        waiting.sequence = sequence;
        waiting.begins_at = begins_at;
        waiting.deadline = deadline;
        waiting.answer = None;
        if !waiting.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiting.waker = Some(waker.clone());
        }
        CallId {
            slot,
            generation: waiting.generation,
        }
    }

    fn append(
        &self,
        queue: &mut Queue,
        id: CallId,
        request: &RequestHead<'_>,
        opening: Opening<'_>,
    ) -> Result<(), NotSent> {
        let RequestHead {
            method,
            codec,
            metadata,
            context,
            left_ms,
            ..
        } = *request;
        let mut head = Head::new(kind::REQUEST, id);
        let (number, known) = queue.methods.number(method, codec, self.hub.peer.max_methods);
        head.extra = number;
        let start = queue.begin();
        let buffer = queue.buffer();
        if let Some(left) = left_ms {
            head.flags |= flag::DEADLINE;
            buffer.extend_from_slice(&left.to_le_bytes());
        }
        if !known {
            let (path, codec) = (method.path().as_bytes(), codec.as_bytes());
            head.flags |= flag::DEFINE;
            buffer.extend_from_slice(&[codec.len() as u8]);
            buffer.extend_from_slice(&(path.len() as u16).to_le_bytes());
            buffer.extend_from_slice(path);
            buffer.extend_from_slice(codec);
        }
        if !metadata.is_empty() || !context.is_empty() {
            let before = buffer.len();
            metadata::append(metadata, buffer);
            metadata::append(context, buffer);
            head.metadata = (buffer.len() - before) as u16;
        }
        match opening {
            Opening::Value(value) => {
                head.flags |= flag::MESSAGE | flag::END;
                let before = buffer.len();
                let most = self.hub.peer.max_frame_bytes as usize;
                let encoded = value
                    .encode(buffer)
                    .and_then(|()| check_written(buffer.len() - before, most));
                if let Err(status) = encoded {
                    buffer.truncate(start);
                    if !known && number != UNNUMBERED {
                        queue.methods.forget(method, codec);
                    }
                    return Err(NotSent::Refused(status));
                }
                queue.finish(start, head, Bytes::new());
            }
            Opening::Aside(scratch) => {
                head.flags |= flag::MESSAGE | flag::END;
                buffer.extend_from_slice(&scratch);
                queue.finish(start, head, Bytes::new());
                queue.give_back(scratch);
            }
            Opening::Bytes {
                bytes,
                compressed,
                more,
            } => {
                head.flags |= flag::MESSAGE | if more { flag::MORE } else { flag::END };
                head.flags |= if compressed { flag::COMPRESSED } else { 0 };
                queue.finish(start, head, bytes);
            }
            Opening::Stream => queue.finish(start, head, Bytes::new()),
        }
        Ok(())
    }

    /// What came for a call, once it does. After [`Answer::Whole`] the call is over, and only its slot is to be
    /// [given back](Self::give_back).
    pub(crate) fn poll_answer(&self, id: CallId, cx: &mut Poller<'_>) -> Poll<Answer> {
        let mut waiting = self.waiting(id.slot);
        if let Some(answer) = waiting.answer.take() {
            waiting.busy &= !matches!(answer, Answer::Whole { .. });
            return Poll::Ready(answer);
        }
        if !waiting
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(cx.waker()))
        {
            waiting.waker = Some(cx.waker().clone());
        }
        if let Some(deadline) = waiting.deadline {
            woken_by(deadline);
        }
        Poll::Pending
    }

    /// Wakes the calls whose deadline has passed, and says when to look again.
    fn wake_late(&self, now: Instant) {
        let mut next = None;
        let mut late = Vec::new();
        for (slot, _) in self.slab.all() {
            let mut waiting = self.waiting(slot);
            let Some(deadline) = waiting.deadline.filter(|_| waiting.busy) else {
                continue;
            };
            if deadline.instant() <= now {
                waiting.deadline = None;
                late.extend(waiting.waker.take());
            } else {
                next = Deadline::earlier(next, Some(deadline));
            }
        }
        let mut queue = self.hub.outbox.lock();
        queue.looks_at = Deadline::earlier(queue.looks_at, next);
        drop(queue);
        late.into_iter().for_each(Waker::wake);
    }

    /// Ends a call: if the server has not ended it, it is told that nobody waits any more.
    pub(crate) fn end(&self, id: CallId) {
        let mut waiting = self.waiting(id.slot);
        let settled = waiting.settled;
        waiting.busy = false;
        let left = (
            waiting.answer.take(),
            waiting.arrival.take(),
            waiting.waker.take(),
        );
        drop(waiting);
        // Who looks at the answer gives back what is held for it; nobody has.
        if let Some(Answer::Opened { arrival, .. }) = &left.0 {
            self.hub.leave(id, arrival);
        }
        drop(left);
        if !settled {
            self.hub.outbox.with(|queue| queue.bare(kind::CANCEL, id));
        }
        self.give_back(id.slot);
    }

    fn waiting(&self, slot: u32) -> MutexGuard<'_, Waiting> {
        let slot = self.slab.get(slot).expect("it was taken");
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervised for Connection {
    fn life(&self) -> &Life {
        &self.life
    }

    fn peer(&self) -> Option<&Address> {
        self.peer.as_deref()
    }

    fn load(&self) -> usize {
        (self.slab.taken() + self.line.length()) as usize
    }

    fn capacity(&self) -> usize {
        self.slab.limit() as usize
    }

    fn was_of_use(&self) -> bool {
        self.of_use.load(SeqCst)
    }

    fn has_advanced(&self, phase: Phase) {
        if phase >= Phase::Draining {
            self.hub.outbox.refuse();
            self.line.send_away();
        }
        self.alarm.ring();
    }

    fn regroup(&self) {
        self.line.send_away();
    }
}
