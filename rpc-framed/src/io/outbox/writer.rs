//! The connection's task, as it writes.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context as Poller, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use rpc_core::transport::Io;
use rustc_hash::FxHashSet;
use tokio::io::AsyncWrite;

use super::{KEPT_BYTES, Outbox, Queue};
use crate::io::try_use;

/// How many pieces go into one write.
const PIECES: usize = 64;

/// What the task has taken and writes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pieces: VecDeque<Bytes>,
    buffer: BytesMut,
    bytes: usize,
    /// Writing failed.
    failed: bool,
    /// How many bytes were written so far.
    pub(crate) written: u64,
}

impl Writer {
    /// Writes until nothing waits any more. Pending as well while a call writes alone.
    ///
    /// The task rests then, if it `rests`: whoever appends from then on wakes it.
    pub(crate) fn poll_flush(
        &mut self,
        outbox: &Outbox,
        io: &Mutex<Box<dyn Io>>,
        rests: bool,
        cx: &mut Poller<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.bytes == 0 && !self.take(outbox, rests, cx) {
                // Who writes alone flushes as well, and wakes us where that is not enough.
                return match try_use(io) {
                    Some(mut io) => Pin::new(&mut *io).poll_flush(cx),
                    None => Poll::Pending,
                };
            }
            let before = self.bytes;
            if let Poll::Ready(written) = self.poll_write_all(io, cx) {
                written?;
                continue;
            }
            if self.bytes < before {
                let mut queue = outbox.lock();
                queue.writing = self.bytes;
                outbox.make_room(queue);
            }
            return Poll::Pending;
        }
    }

    /// Writes what was taken.
    fn poll_write_all(&mut self, io: &Mutex<Box<dyn Io>>, cx: &mut Poller<'_>) -> Poll<io::Result<()>> {
        let mut io = io.lock().unwrap_or_else(PoisonError::into_inner);
        while self.bytes > 0 {
            let written = ready!(self.poll_write(&mut io, cx)).inspect_err(|_| self.failed = true)?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// True if something is yet to be written.
    pub(crate) fn is_busy(&self) -> bool {
        self.bytes > 0
    }

    /// Where in all that was ever appended begins what has certainly not been written. Where writing `fails_late`, that is none
    /// of what it failed with.
    pub(crate) fn untouched_from(&self, queue: &Queue, fails_late: bool) -> u64 {
        let untouched = if self.failed && fails_late { 0 } else { self.bytes };
        queue.handed - untouched as u64
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
        if queue.given_up.is_empty() {
            queue.given_up = FxHashSet::default();
        }
        queue.waiting.trim();
    }

    /// Takes what waits; false if nothing does, or somebody else is writing what comes before it.
    fn take(&mut self, outbox: &Outbox, rests: bool, cx: &mut Poller<'_>) -> bool {
        let mut queue = outbox.lock();
        // Looked at again when that is done.
        if queue.awaits_alone(cx.waker()) {
            return false;
        }
        queue.writing = 0;
        if queue.is_empty() {
            if rests {
                queue.rest(cx.waker());
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
            queue.handed += self.bytes as u64;
        }
        outbox.make_room(queue);
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
