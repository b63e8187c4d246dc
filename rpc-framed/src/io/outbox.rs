//! What is to be written: one buffer that all calls of a connection append frames to, and the connection's task empties.
//!
//! Who appends wakes the task, unless it was woken already or is at work: it looks once more before it rests. Bodies that
//! are large go in as they are, between two pieces of the buffer, and are written with them in one go.
//!
//! # Bound
//! Whoever has time to wait asks [`Outbox::poll_room`] first: a peer that does not read stops those who write to it, not
//! the process.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context as Poller, Poll, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use rpc_core::{Metadata, Status, message::Value, transport::Io};
use tokio::io::AsyncWrite;

use super::methods::Methods;
use crate::wire::{CallId, HEAD_BYTES, Head, flag, kind, metadata, status};

/// From here on a body is not copied behind its head.
pub(crate) const SEPARATE_BYTES: usize = 16 << 10;

/// A buffer that is larger than this is not kept.
const KEPT_BYTES: usize = 256 << 10;

/// How many pieces go into one write.
const PIECES: usize = 64;

#[derive(Debug)]
pub(crate) struct Outbox(Mutex<Queue>);

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
    task: Option<Waker>,
    waiting: Vec<Waker>,
    scratch: BytesMut,
    /// A client's: the numbers of methods, and how many requests were sent.
    pub(crate) methods: Methods,
    pub(crate) requests: u64,
    /// A client's: no more requests, others have to carry them.
    pub(crate) refuses: bool,
    /// Of these, how many were handed to the task, or to the socket.
    pub(crate) taken_requests: u64,
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Mutex::new(Queue {
            buffer: BytesMut::new(),
            pieces: VecDeque::new(),
            piece_bytes: 0,
            writing: 0,
            limit,
            told: true,
            closed: false,
            task: None,
            waiting: Vec::new(),
            scratch: BytesMut::new(),
            methods: Methods::default(),
            requests: 0,
            refuses: false,
            taken_requests: 0,
        }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queue> {
        // What can panic while it is held is a message's own code, and then the queue is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends, and sees to it that the task looks.
    pub(crate) fn with<R>(&self, append: impl FnOnce(&mut Queue) -> R) -> R {
        let mut queue = self.lock();
        let appended = append(&mut queue);
        let task = queue.tell();
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
        appended
    }

    /// Ready once there is room, or the connection is over.
    pub(crate) fn poll_room(&self, cx: &mut Poller<'_>) -> Poll<()> {
        let mut queue = self.lock();
        if queue.has_room() || queue.closed {
            return Poll::Ready(());
        }
        if !queue.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            queue.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn has_room(&self) -> bool {
        self.lock().has_room()
    }

    /// Takes nothing more. What waits is dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.buffer = BytesMut::new();
        queue.pieces = VecDeque::new();
        queue.piece_bytes = 0;
        let waiting = std::mem::take(&mut queue.waiting);
        drop(queue);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Encodes a message of a known size that is too large to be copied behind its head, into room of its own.
    ///
    /// Inside the queue it would have the queue's buffer grow to many messages' size, which is then too large to be kept.
    pub(crate) fn encode_apart(value: &dyn Value, length: usize) -> Result<Bytes, Status> {
        let mut room = BytesMut::with_capacity(length);
        value.encode(&mut room)?;
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

impl Queue {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn has_room(&self) -> bool {
        self.waiting_bytes() + self.writing < self.limit
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.pieces.is_empty()
    }

    /// Nothing waits but what was appended just now, nothing is being written, and the task rests.
    pub(crate) fn is_lone(&self) -> bool {
        self.pieces.is_empty() && self.writing == 0 && !self.told
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
        if self.told || self.is_empty() {
            return None;
        }
        self.told = true;
        self.task.take()
    }

    /// The task has to look although nothing was appended.
    pub(crate) fn summon(&mut self) -> Option<Waker> {
        self.told = true;
        self.task.take()
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

    /// Tries to write what waits at once, from a task that is not the connection's. Nothing is being written then. True if
    /// the task has to take over.
    pub(crate) fn try_write(&mut self, io: &mut Box<dyn Io>) -> bool {
        let mut cx = Poller::from_waker(Waker::noop());
        self.taken_requests = self.requests;
        match Pin::new(&mut *io).poll_write(&mut cx, &self.buffer) {
            Poll::Ready(Ok(written)) if written == self.buffer.len() => self.buffer.clear(),
            Poll::Ready(Ok(written)) => self.buffer.advance(written),
            // The task meets the same error, and says what it means.
            Poll::Ready(Err(_)) | Poll::Pending => {}
        }
        // TLS may hold on to what it took.
        !self.buffer.is_empty() || Pin::new(io).poll_flush(&mut cx).is_pending()
    }
}

/// What the task has taken and writes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pieces: VecDeque<Bytes>,
    buffer: BytesMut,
    bytes: usize,
    /// How many bytes were written so far.
    pub(crate) written: u64,
}

impl Writer {
    /// Writes until nothing waits any more. Whoever appends from then on wakes the task.
    pub(crate) fn poll_flush(
        &mut self,
        outbox: &Outbox,
        io: &Mutex<Box<dyn Io>>,
        cx: &mut Poller<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.bytes == 0 && !self.take(outbox, cx) {
                let mut io = io.lock().unwrap_or_else(PoisonError::into_inner);
                return Pin::new(&mut *io).poll_flush(cx);
            }
            let mut io = io.lock().unwrap_or_else(PoisonError::into_inner);
            while self.bytes > 0 {
                let written = ready!(self.poll_write(&mut io, cx))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.advance(written);
            }
        }
    }

    /// True if something is yet to be written.
    pub(crate) fn is_busy(&self) -> bool {
        self.bytes > 0
    }

    /// Gives the buffers back.
    pub(crate) fn trim(&mut self, outbox: &Outbox) {
        if self.bytes == 0 {
            self.buffer = BytesMut::new();
            self.pieces = VecDeque::new();
        }
        let mut queue = outbox.lock();
        if queue.is_empty() {
            queue.buffer = BytesMut::new();
            queue.pieces = VecDeque::new();
        }
        queue.scratch = BytesMut::new();
        queue.waiting = Vec::new();
    }

    /// Takes what waits; false if nothing does.
    fn take(&mut self, outbox: &Outbox, cx: &mut Poller<'_>) -> bool {
        let mut queue = outbox.lock();
        queue.writing = 0;
        if queue.is_empty() {
            queue.told = false;
            if !queue.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                queue.task = Some(cx.waker().clone());
            }
        } else {
            self.buffer.clear();
            if self.buffer.capacity() > KEPT_BYTES {
                self.buffer = BytesMut::new();
            }
            std::mem::swap(&mut self.buffer, &mut queue.buffer);
            std::mem::swap(&mut self.pieces, &mut queue.pieces);
            self.bytes = self.buffer.len() + queue.piece_bytes;
            queue.piece_bytes = 0;
            queue.writing = self.bytes;
            queue.taken_requests = queue.requests;
        }
        let waiting = if queue.has_room() && !queue.waiting.is_empty() {
            std::mem::take(&mut queue.waiting)
        } else {
            Vec::new()
        };
        drop(queue);
        waiting.into_iter().for_each(Waker::wake);
        self.bytes > 0
    }

    fn poll_write(&self, io: &mut Box<dyn Io>, cx: &mut Poller<'_>) -> Poll<io::Result<usize>> {
        if self.pieces.is_empty() {
            return Pin::new(io).poll_write(cx, &self.buffer);
        }
        if !io.is_write_vectored() {
            let first = self.pieces.front().map_or(&self.buffer[..], |piece| piece);
            return Pin::new(io).poll_write(cx, first);
        }
        let mut slices = [IoSlice::new(&[]); PIECES];
        let all = self
            .pieces
            .iter()
            .map(|piece| &piece[..])
            .chain([&self.buffer[..]]);
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(all.filter(|bytes| !bytes.is_empty())) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        Pin::new(io).poll_write_vectored(cx, &slices[..used])
    }

    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        self.written += written as u64;
        while let Some(first) = self.pieces.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.pieces.pop_front();
        }
        self.buffer.advance(written);
    }
}
