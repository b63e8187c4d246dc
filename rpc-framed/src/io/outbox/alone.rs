//! A call that writes its request itself, because nobody else has anything to write.
//!
//! The answer can be there before the call is back from the kernel, and another thread then reads it. So no lock of the queue
//! is held meanwhile, and the connection's task, which finds the byte stream in use, does not wait for it: it rests, and is woken
//! when the call is done. What others append meanwhile stays where it is, behind what is being written.

use std::{
    pin::Pin,
    sync::Mutex,
    task::{Context as Poller, Poll, Waker},
};

use bytes::{Buf, BytesMut};
use rpc_core::transport::Io;
use tokio::io::AsyncWrite;

use super::{Outbox, Queue};
use crate::io::try_use;

/// Whether a call writes, and not the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WritesAlone {
    No,
    Yes,
    /// Yes, and the task waits for it to be done.
    Awaited,
}

/// A request that its call writes. It has to be [written](Self::write): until then nobody else writes anything.
#[derive(Debug)]
#[must_use = "nobody writes anything until it is written"]
pub(crate) struct Alone {
    bytes: BytesMut,
    /// Writing failed.
    failed: bool,
}

impl Queue {
    /// Takes what waits out, if it is only what was appended just now and the task rests.
    pub(crate) fn take_alone(&mut self) -> Option<Alone> {
        let is_alone =
            self.pieces.is_empty() && self.writing == 0 && !self.told && self.alone == WritesAlone::No;
        if !is_alone || self.closed || self.buffer.is_empty() {
            return None;
        }
        let alone = Alone {
            bytes: std::mem::take(&mut self.buffer),
            failed: false,
        };
        self.alone = WritesAlone::Yes;
        self.writing = alone.bytes.len();
        // Before it is: if the connection breaks off meanwhile, nobody knows how much of it arrived.
        self.handed += alone.bytes.len() as u64;
        Some(alone)
    }

    /// Waits for who writes alone, if somebody does: the task is woken when that is done.
    pub(crate) fn awaits_alone(&mut self, task: &Waker) -> bool {
        if self.alone == WritesAlone::No {
            return false;
        }
        self.rest(task);
        self.alone = WritesAlone::Awaited;
        true
    }
}

impl Alone {
    /// Writes as much as goes at once, and leaves the rest to the task. Where writing `fails_late`, what it failed with counts as
    /// written.
    pub(crate) fn write(mut self, outbox: &Outbox, io: &Mutex<Box<dyn Io>>, fails_late: bool) {
        // `None` if the task reads.
        let flushed = try_use(io).map(|mut io| self.poll_write(&mut io));
        let mut queue = outbox.lock();
        let awaited = queue.alone == WritesAlone::Awaited;
        queue.alone = WritesAlone::No;
        queue.writing = 0;
        if !(self.failed && fails_late) {
            queue.handed -= self.bytes.len() as u64;
        }
        queue.put_back(self.bytes);
        // Those who wait for room are woken by the task.
        let task = if awaited || flushed != Some(true) || !queue.is_empty() || !queue.waiting.is_empty() {
            queue.told = true;
            queue.task.take()
        } else {
            None
        };
        drop(queue);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// True if all is out.
    fn poll_write(&mut self, io: &mut Box<dyn Io>) -> bool {
        let mut cx = Poller::from_waker(Waker::noop());
        match Pin::new(&mut *io).poll_write(&mut cx, &self.bytes) {
            Poll::Ready(Ok(written)) if written == self.bytes.len() => self.bytes.clear(),
            Poll::Ready(Ok(written)) => self.bytes.advance(written),
            // The task meets the same error, and says what it means.
            Poll::Ready(Err(_)) => self.failed = true,
            Poll::Pending => {}
        }
        // TLS may hold on to what it took.
        self.bytes.is_empty() && Pin::new(io).poll_flush(&mut cx).is_ready()
    }
}

impl Queue {
    /// Puts what was not written in front of what was appended meanwhile, or the empty buffer back.
    fn put_back(&mut self, bytes: BytesMut) {
        if self.closed {
            return;
        }
        if self.is_empty() {
            self.buffer = bytes;
        } else if !bytes.is_empty() {
            self.piece_bytes += bytes.len();
            self.pieces.push_front(bytes.freeze());
        }
    }
}
