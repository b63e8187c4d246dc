//! What has been read and is not yet a whole frame.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::OwnedReadHalf,
};

/// Length and id.
pub(super) const HEAD: usize = 8;

/// Room for a few of the largest messages that are measured.
const BUFFER: usize = 256 * 1024;
/// With less room than this, what is left of a frame moves to the front.
const LEAST_ROOM: usize = 64 * 1024;

/// Appends a frame.
pub(super) fn write(out: &mut Vec<u8>, id: u32, body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(body);
}

/// A buffer that one side reads into. Its size is fixed: peers are ours, and send nothing larger.
pub(super) struct Frames {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
        }
    }

    /// Reads what there is, once. Answers how much; 0 is the end.
    pub(super) fn poll_fill(
        &mut self,
        stream: &mut OwnedReadHalf,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < LEAST_ROOM {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // `poll_read` rather than `try_read`: after a short read it knows, without asking the kernel, that no more is there.
        let mut room = ReadBuf::new(&mut self.buffer[self.end..]);
        ready!(Pin::new(stream).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        self.end += count;
        Poll::Ready(Ok(count))
    }

    /// The next whole frame.
    pub(super) fn next(&mut self) -> Option<(u32, &[u8])> {
        let (head, rest) = self.buffer[self.start..self.end].split_first_chunk::<HEAD>()?;
        let [a, b, c, d, id @ ..] = *head;
        let body = rest.get(..u32::from_le_bytes([a, b, c, d]) as usize)?;
        self.start += HEAD + body.len();
        Some((u32::from_le_bytes(id), body))
    }
}
