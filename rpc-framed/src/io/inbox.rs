//! What was read and not looked at yet.
//!
//! Small messages are copied out, so that none of them pins the buffer that it came in; large ones are slices of it. The
//! buffer grows with what comes at once, and is given back when nothing does.

use std::{
    io,
    pin::Pin,
    task::{Context as Poller, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use rpc_core::transport::Io;

use crate::wire::{Broken, HEAD_BYTES, Head};

/// Messages from here on are slices of the buffer.
const SLICED_BYTES: usize = 2 << 10;

/// How much is read at once, at least and at most.
const LEAST_BYTES: usize = 4 << 10;
const MOST_BYTES: usize = 256 << 10;

/// After so many reads that filled less than a quarter, less is read at once.
const SMALL_READS: u8 = 64;

#[derive(Debug)]
pub(crate) struct Inbox {
    buffer: BytesMut,
    /// How much is read at once.
    target: usize,
    small_reads: u8,
    /// The longest payload of a frame.
    limit: usize,
    /// How often bytes came.
    pub(crate) reads: u64,
}

impl Inbox {
    /// Begins with bytes that were read already.
    pub(crate) fn new(buffer: BytesMut, limit: usize) -> Self {
        Self {
            buffer,
            target: LEAST_BYTES,
            small_reads: 0,
            limit,
            reads: 0,
        }
    }

    /// Reads once; false at the end of the stream.
    pub(crate) fn poll_fill(&mut self, io: &mut Box<dyn Io>, cx: &mut Poller<'_>) -> Poll<io::Result<bool>> {
        // A frame that has begun is to fit as a whole.
        let missing = self.missing().max(self.target / 4);
        if self.buffer.capacity() - self.buffer.len() < missing {
            self.buffer.reserve(missing.max(self.target));
        }
        let room = self.buffer.capacity() - self.buffer.len();
        let read = std::task::ready!(tokio_util::io::poll_read_buf(Pin::new(io), cx, &mut self.buffer))?;
        self.reads += u64::from(read > 0);
        if read == room {
            self.target = (self.target * 2).min(MOST_BYTES);
            self.small_reads = 0;
        } else if read < self.target / 4 {
            self.small_reads += 1;
            if self.small_reads == SMALL_READS {
                self.target = (self.target / 2).max(LEAST_BYTES);
                self.small_reads = 0;
            }
        } else {
            self.small_reads = 0;
        }
        Poll::Ready(Ok(read > 0))
    }

    /// The head of the next frame, if all of it is there.
    pub(crate) fn head(&self) -> Result<Option<Head>, Broken> {
        let Some(head) = self.begun() else { return Ok(None) };
        let length = head.length as usize;
        if length > self.limit {
            return Err(Broken("a frame is longer than what was allowed"));
        }
        if usize::from(head.metadata) > length {
            return Err(Broken("a frame has more metadata than bytes"));
        }
        Ok((self.buffer.len() >= HEAD_BYTES + length).then_some(head))
    }

    /// What follows the head of the frame that is next.
    pub(crate) fn payload(&self, head: &Head) -> &[u8] {
        &self.buffer[HEAD_BYTES..HEAD_BYTES + head.length as usize]
    }

    /// Takes the frame that is next, and of its payload what comes from `at` on.
    pub(crate) fn take(&mut self, head: &Head, at: usize) -> Bytes {
        let (begin, end) = (HEAD_BYTES + at, HEAD_BYTES + head.length as usize);
        if end - begin < SLICED_BYTES {
            let copied = if begin == end {
                Bytes::new()
            } else {
                Bytes::copy_from_slice(&self.buffer[begin..end])
            };
            self.buffer.advance(end);
            return copied;
        }
        self.buffer.advance(begin);
        self.buffer.split_to(end - begin).freeze()
    }

    /// Passes over the frame that is next.
    pub(crate) fn skip(&mut self, head: &Head) {
        self.buffer.advance(HEAD_BYTES + head.length as usize);
    }

    /// Gives the buffer back, if there is nothing in it.
    pub(crate) fn trim(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
            self.target = LEAST_BYTES;
        }
    }

    fn begun(&self) -> Option<Head> {
        self.buffer.first_chunk::<HEAD_BYTES>().map(Head::decode)
    }

    /// How many bytes the frame that has begun lacks. What it may claim is bounded.
    fn missing(&self) -> usize {
        self.begun().map_or(0, |head| {
            (HEAD_BYTES + (head.length as usize).min(self.limit)).saturating_sub(self.buffer.len())
        })
    }
}
