//! What is to be written: one buffer that all calls of a connection append frames to, and the connection's task empties.
//!
//! Who appends wakes the task, unless it was woken already or is at work: it looks once more before it rests. Bodies that
//! are large go in as they are, between two pieces of the buffer, and are written with them in one go.
//!
//! # A call that has a connection to itself
//! It writes its request itself, see `alone`: to wake the task would only have done elsewhere what can be done at once.
//!
//! # Bound
//! Whoever has time to wait asks [`Outbox::poll_room`] first: a peer that does not read stops those who write to it, not
//! the process. A request finds out when it is to be appended, since the queue is locked by then; an answer is told by a flag
//! beside the lock, before it is encoded.

mod alone;
mod room;
mod writer;

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::Waker,
};

use bytes::{Bytes, BytesMut};
use rpc_core::{Deadline, Metadata, Status, message::Value, status::reason};
use rustc_hash::FxHashSet;

use self::{alone::WritesAlone, room::Waiting};
pub(crate) use self::{
    room::{Place, Turn},
    writer::Writer,
};
use super::methods::Methods;
use crate::wire::{CallId, HEAD_BYTES, Head, flag, kind, metadata, status};

/// From here on a body is not copied behind its head.
pub(crate) const SEPARATE_BYTES: usize = 16 << 10;

/// How many times the bound may wait to be written before requests and answers of one frame wait as well. They are to go out at
/// once, and many large ones together are no sign of a peer that does not read.
const ONE_FRAME_BOUND: usize = 8;

/// A buffer that is larger than this is not kept.
const KEPT_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(crate) struct Outbox {
    queue: Mutex<Queue>,
    /// There was no room for a message of one frame, and there has not been room for all since.
    crowded: AtomicBool,
}

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Queue {
    buffer: BytesMut,
    /// Comes before the buffer.
    pieces: VecDeque<Bytes>,
    piece_bytes: usize,
    /// What the task has taken and not written yet.
    writing: usize,
    /// From here on there is no room.
    limit: usize,
    /// The task will look without being woken.
    told: bool,
    closed: bool,
    alone: WritesAlone,
    task: Option<Waker>,
    waiting: Waiting,
    scratch: BytesMut,
    /// A server's: the calls that were given up and run still, by their numbers. Nothing of them is to be appended.
    pub(crate) given_up: FxHashSet<u64>,
    /// A client's: the numbers of methods, and how many requests were sent.
    pub(crate) methods: Methods,
    pub(crate) requests: u64,
    /// A client's: when the task looks at the deadlines of its calls, which is never later than the first of them.
    pub(crate) looks_at: Option<Deadline>,
    /// A client's: no more requests, others have to carry them.
    pub(crate) refuses: bool,
    /// How many bytes were handed to the task, or to a call that writes alone.
    handed: u64,
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        let queue = Queue {
            buffer: BytesMut::new(),
            pieces: VecDeque::new(),
            piece_bytes: 0,
            writing: 0,
            limit,
            told: true,
            closed: false,
            alone: WritesAlone::No,
            task: None,
            waiting: Waiting::default(),
            scratch: BytesMut::new(),
            given_up: FxHashSet::default(),
            methods: Methods::default(),
            requests: 0,
            looks_at: None,
            refuses: false,
            handed: 0,
        };
        Self {
            queue: Mutex::new(queue),
            crowded: AtomicBool::new(false),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queue> {
        // What can panic while it is held is a message's own code, and then the queue is whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends, and sees to it that the task looks.
    pub(crate) fn with<R>(&self, append: impl FnOnce(&mut Queue) -> R) -> R {
        let mut queue = self.lock();
        let appended = append(&mut queue);
        if !queue.has_room_for_one() {
            self.crowded.store(true, Relaxed);
        }
        let task = queue.tell();
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
        appended
    }

    /// The task is at work, and will [rest](Writer::poll_flush) before it waits: until then nobody needs to wake it, not even
    /// itself. True if something waits to be written.
    pub(crate) fn attend(&self) -> bool {
        let mut queue = self.lock();
        queue.told = true;
        queue.waiting.next_turn();
        !queue.is_empty()
    }

    pub(crate) fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    /// A server's: true if an answer has to wait for room before it is encoded.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Relaxed)
    }

    /// A client's: true if a request has to wait for room, and not if it is refused anyway.
    pub(crate) fn holds_back(&self, turn: Turn) -> bool {
        let queue = self.lock();
        queue.holds_back(turn) && !queue.refuses && !queue.closed
    }

    /// A client's: takes no more requests. Who waits for room for one looks again.
    pub(crate) fn refuse(&self) {
        let mut queue = self.lock();
        queue.refuses = true;
        let waiting = queue.waiting.take();
        drop(queue);
        waiting.for_each(Waker::wake);
    }

    /// Takes nothing more. What waits is dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.buffer = BytesMut::new();
        queue.pieces = VecDeque::new();
        queue.piece_bytes = 0;
        let waiting = queue.waiting.take();
        drop(queue);
        waiting.for_each(Waker::wake);
    }

    /// Encodes a message of a known size that is too large to be copied behind its head, into room of its own.
    ///
    /// Inside the queue it would have the queue's buffer grow to many messages' size, which is then too large to be kept.
    pub(crate) fn encode_apart(value: &dyn Value, length: usize, most: usize) -> Result<Bytes, Status> {
        let mut room = BytesMut::with_capacity(length);
        value.encode(&mut room)?;
        check_written(room.len(), most)?;
        Ok(room.freeze())
    }

    /// Encodes a message of unknown size beside the queue, and hands it over to what appends it.
    ///
    /// Encoding it inside would hold up everybody else for as long as that takes.
    pub(crate) fn encode_aside(&self, value: &dyn Value) -> Result<BytesMut, Status> {
        let mut scratch = std::mem::take(&mut self.lock().scratch);
        scratch.clear();
        value.encode(&mut scratch)?;
        Ok(scratch)
    }
}

/// Checks what a message wrote that has said how long it is, and that goes into one frame for that.
///
/// # Errors
/// INTERNAL with reason `MESSAGE_UNENCODABLE` if no frame takes as much.
pub(crate) fn check_written(bytes: usize, most: usize) -> Result<(), Status> {
    if bytes <= most {
        return Ok(());
    }
    Err(Status::internal(format!(
        "the message is of {bytes} bytes, and had said that it is of less"
    ))
    .with_reason(reason::MESSAGE_UNENCODABLE)
    .with_domain(reason::DOMAIN))
}

impl Queue {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting_bytes() + self.writing < self.limit
    }

    /// There is room for a message of one frame. One that has to wait does so until there is room for all.
    pub(crate) fn has_room_for_one(&self) -> bool {
        self.waiting_bytes() + self.writing < self.limit.saturating_mul(ONE_FRAME_BOUND)
    }

    /// A client's: a request has to wait, for room or behind those who do: while requests pass them, there is never room for all.
    pub(crate) fn holds_back(&self, turn: Turn) -> bool {
        turn == Turn::New && !(self.waiting.is_over() && self.has_room_for_one())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.pieces.is_empty()
    }

    /// Where the next frame begins in all that was ever appended.
    pub(crate) fn position(&self) -> u64 {
        self.handed + self.waiting_bytes() as u64
    }

    fn waiting_bytes(&self) -> usize {
        self.buffer.len() + self.piece_bytes
    }

    /// Whom to wake for what was appended.
    pub(crate) fn tell(&mut self) -> Option<Waker> {
        if self.closed {
            self.buffer.clear();
            self.pieces.clear();
            self.piece_bytes = 0;
            return None;
        }
        if self.is_empty() { None } else { self.rouse() }
    }

    /// Whom to wake for the task to look.
    fn rouse(&mut self) -> Option<Waker> {
        if self.told {
            return None;
        }
        self.told = true;
        self.task.take()
    }

    /// The task rests until it is woken.
    fn rest(&mut self, task: &Waker) {
        self.told = false;
        if !self.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            self.task = Some(task.clone());
        }
    }

    /// The buffer, for who appends a frame piece by piece.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Gives back what was encoded aside.
    pub(crate) fn give_back(&mut self, mut scratch: BytesMut) {
        if scratch.capacity() <= KEPT_BYTES {
            scratch.clear();
            self.scratch = scratch;
        }
    }

    /// Begins a frame; [`finish`](Self::finish) puts the head in front of what follows.
    pub(crate) fn begin(&mut self) -> usize {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(&[0; HEAD_BYTES]);
        start
    }

    /// Ends a frame that was begun at `start`. `body` comes behind what is in the buffer.
    pub(crate) fn finish(&mut self, start: usize, mut head: Head, body: Bytes) {
        let length = self.buffer.len() - start - HEAD_BYTES + body.len();
        head.length = length as u32;
        self.buffer[start..start + HEAD_BYTES].copy_from_slice(&head.encode());
        self.append(body);
    }

    fn append(&mut self, body: Bytes) {
        if body.is_empty() {
            return;
        }
        if body.len() < SEPARATE_BYTES {
            self.buffer.extend_from_slice(&body);
            return;
        }
        let before = self.buffer.split().freeze();
        self.piece_bytes += before.len() + body.len();
        self.pieces.push_back(before);
        self.pieces.push_back(body);
    }

    /// A frame of nothing but a head and a body.
    pub(crate) fn frame(&mut self, head: Head, body: Bytes) {
        let start = self.begin();
        self.finish(start, head, body);
    }

    /// A head alone.
    pub(crate) fn bare(&mut self, kind: u8, call: CallId) {
        self.buffer.extend_from_slice(&Head::new(kind, call).encode());
    }

    pub(crate) fn small(&mut self, head: Head, body: &[u8]) {
        let start = self.begin();
        self.buffer.extend_from_slice(body);
        self.finish(start, head, Bytes::new());
    }

    pub(crate) fn credit(&mut self, call: CallId, bytes: u32) {
        self.small(Head::new(kind::CREDIT, call), &bytes.to_le_bytes());
    }

    /// The end of a direction, with what a server's trailers say.
    pub(crate) fn end(&mut self, call: CallId, trailers: &Metadata) {
        let start = self.begin();
        metadata::append(trailers, &mut self.buffer);
        let head = Head {
            flags: flag::END,
            metadata: (self.buffer.len() - start - HEAD_BYTES) as u16,
            ..Head::new(kind::END, call)
        };
        self.finish(start, head, Bytes::new());
    }

    /// The end of a call that failed.
    pub(crate) fn error(&mut self, call: CallId, failure: &Status, metadata_limit: usize) {
        let start = self.begin();
        let head = Head {
            flags: flag::END,
            metadata: status::append(failure, metadata_limit, &mut self.buffer),
            extra: failure.code() as u16,
            ..Head::new(kind::ERROR, call)
        };
        self.finish(start, head, Bytes::new());
    }

    pub(crate) fn goaway(&mut self, accepted: u64, reason: u16, text: &str) {
        let start = self.begin();
        self.buffer.extend_from_slice(&accepted.to_le_bytes());
        self.buffer.extend_from_slice(&reason.to_le_bytes());
        self.buffer.extend_from_slice(text.as_bytes());
        self.finish(start, Head::new(kind::GOAWAY, CallId::default()), Bytes::new());
    }
}
