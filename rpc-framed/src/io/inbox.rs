//! What was read and not looked at yet.
//!
//! Messages that are small beside the buffer that they came in are copied out, so that none of them pins it; large ones are
//! slices of it. The buffer grows with what comes at once, and is given back when nothing does: until something comes again,
//! reads go into a few bytes on the stack.

use std::{
    io,
    pin::Pin,
    task::{Context as Poller, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use rpc_core::transport::Io;
use tokio::io::{AsyncRead, ReadBuf};

use crate::wire::{Broken, HEAD_BYTES, Head};

/// Shorter messages are always copied: that costs less than to share the buffer.
const SLICED_BYTES: usize = 2 << 10;

/// A message that is kept keeps alive so many times its own bytes, at most.
const PINNED_TIMES: usize = 16;

/// How much is read at once, at least and at most.
const LEAST_BYTES: usize = 4 << 10;
const MOST_BYTES: usize = 256 << 10;

/// How much is read at first while there is no buffer.
const FIRST_BYTES: usize = 256;

/// After so many reads that filled less than a quarter, less is read at once.
const SMALL_READS: u8 = 64;

#[derive(Debug)]
pub(crate) struct Inbox {
    buffer: BytesMut,
    /// How much is read at once.
    target: usize,
    small_reads: u8,
    /// There is no buffer until bytes come.
    trimmed: bool,
    /// The longest payload of a frame.
    limit: usize,
    /// How often bytes came.
    pub(crate) reads: u64,
}

impl Inbox {
    /// Begins with bytes that were read already.
    pub(crate) fn new(buffer: BytesMut, limit: usize) -> Self {
        Self {
            trimmed: buffer.is_empty(),
            buffer,
            target: LEAST_BYTES,
            small_reads: 0,
            limit,
            reads: 0,
        }
    }

    /// Reads once; false at the end of the stream.
    pub(crate) fn poll_fill(&mut self, io: &mut Box<dyn Io>, cx: &mut Poller<'_>) -> Poll<io::Result<bool>> {
        if self.trimmed {
            return self.poll_first(io, cx);
        }
        // A frame that has begun is to fit as a whole.
        let missing = self.missing().max(self.target / 4);
        if self.buffer.capacity() - self.buffer.len() < missing {
            self.buffer.reserve(missing.max(self.target));
        }
        let room = self.buffer.capacity() - self.buffer.len();
        let read = ready!(tokio_util::io::poll_read_buf(Pin::new(io), cx, &mut self.buffer))?;
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

    /// Reads once while there is no buffer. It is made for bytes that are there, not for those that may come.
    #[cold]
    fn poll_first(&mut self, io: &mut Box<dyn Io>, cx: &mut Poller<'_>) -> Poll<io::Result<bool>> {
        let mut first = [0; FIRST_BYTES];
        let mut first = ReadBuf::new(&mut first);
        ready!(Pin::new(io).poll_read(cx, &mut first))?;
        let read = first.filled();
        if !read.is_empty() {
            self.trimmed = false;
            self.reads += 1;
            self.buffer = BytesMut::with_capacity(self.target);
            self.buffer.extend_from_slice(read);
        }
        Poll::Ready(Ok(!read.is_empty()))
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
        if end - begin < SLICED_BYTES.max(self.target / PINNED_TIMES) {
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
            self.trimmed = true;
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::wire::{CallId, kind};

    #[tokio::test]
    async fn a_message_pins_no_buffer_that_is_many_times_its_size() {
        let (mut peer, ours) = tokio::io::duplex(1 << 20);
        let mut io: Box<dyn Io> = Box::new(ours);
        let mut inbox = Inbox::new(BytesMut::new(), 1 << 16);
        // So much at once makes the buffer as large as it gets.
        for length in [1 << 16; 12].into_iter().chain([3000, 20_000, 1 << 16]) {
            let mut head = Head::new(kind::PING, CallId::default());
            head.length = length;
            peer.write_all(&head.encode()).await.unwrap();
            peer.write_all(&vec![7; length as usize]).await.unwrap();
        }
        let mut taken = Vec::new();
        while taken.len() < 15 {
            match inbox.head().unwrap() {
                Some(head) => taken.push(inbox.take(&head, 0)),
                None => assert!(poll_fn(|cx| inbox.poll_fill(&mut io, cx)).await.unwrap()),
            }
        }
        assert_eq!(inbox.target, MOST_BYTES);
        let copied: Vec<_> = taken.iter().map(Bytes::is_unique).collect();
        assert_eq!(copied[12..], [true, false, false]);
    }

    #[tokio::test]
    async fn no_buffer_is_kept_for_what_may_come() {
        let (mut peer, ours) = tokio::io::duplex(1 << 16);
        let mut io: Box<dyn Io> = Box::new(ours);
        let mut inbox = Inbox::new(BytesMut::new(), 1 << 16);
        for length in [0, 10, 3000] {
            let waits = poll_fn(|cx| Poll::Ready(inbox.poll_fill(&mut io, cx).is_pending()));
            assert!(waits.await);
            assert_eq!(inbox.buffer.capacity(), 0);

            let sent = vec![7; length];
            let mut head = Head::new(kind::PING, CallId::default());
            head.length = length as u32;
            peer.write_all(&head.encode()).await.unwrap();
            peer.write_all(&sent).await.unwrap();
            let head = loop {
                match inbox.head().unwrap() {
                    Some(head) => break head,
                    None => assert!(poll_fn(|cx| inbox.poll_fill(&mut io, cx)).await.unwrap()),
                }
            };
            assert_eq!(inbox.take(&head, 0), sent);
            inbox.trim();
        }
        drop(peer);
        assert!(!poll_fn(|cx| inbox.poll_fill(&mut io, cx)).await.unwrap());
    }
}
