//! What is handed to h2: frames, without a copy of the message where it is in `Bytes` already.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::PREFIX_BYTES;

/// Bytes to send: encoded frames, or one prefix with the message that follows it.
///
/// Both parts go out as one DATA frame; a prefix that was sent on its own would cost a frame, and copying the message
/// behind it costs more the larger it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Data {
    prefix: [u8; PREFIX_BYTES],
    /// How much of the prefix is left; it is at its end.
    prefix_left: u8,
    body: Bytes,
}

impl Data {
    /// A prefix with its message.
    pub(super) fn prefixed(prefix: [u8; PREFIX_BYTES], body: Bytes) -> Self {
        Self {
            prefix,
            prefix_left: PREFIX_BYTES as u8,
            body,
        }
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.prefix_left) + self.body.len()
    }

    /// True if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the first `at` bytes off, or all.
    pub(crate) fn split_to(&mut self, at: usize) -> Self {
        let head = at.min(usize::from(self.prefix_left));
        let body = self.body.split_to((at - head).min(self.body.len()));
        let mut first = Self {
            prefix: [0; PREFIX_BYTES],
            prefix_left: head as u8,
            body,
        };
        let left = usize::from(self.prefix_left);
        first.prefix[PREFIX_BYTES - head..].copy_from_slice(&self.prefix[PREFIX_BYTES - left..][..head]);
        self.prefix_left = (left - head) as u8;
        first
    }

    fn prefix(&self) -> &[u8] {
        &self.prefix[PREFIX_BYTES - usize::from(self.prefix_left)..]
    }
}

impl From<Bytes> for Data {
    fn from(body: Bytes) -> Self {
        Self {
            prefix: [0; PREFIX_BYTES],
            prefix_left: 0,
            body,
        }
    }
}

impl Buf for Data {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        if self.prefix_left > 0 {
            self.prefix()
        } else {
            &self.body
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [std::io::IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for part in [self.prefix(), &self.body] {
            if let Some(slot) = slices.get_mut(filled).filter(|_| !part.is_empty()) {
                *slot = std::io::IoSlice::new(part);
                filled += 1;
            }
        }
        filled
    }

    fn advance(&mut self, count: usize) {
        let head = count.min(usize::from(self.prefix_left));
        self.prefix_left -= head as u8;
        self.body.advance(count - head);
    }

    fn copy_to_bytes(&mut self, len: usize) -> Bytes {
        assert!(
            len <= self.len(),
            "{len} bytes are asked for, {} are left",
            self.len()
        );
        if self.prefix_left == 0 {
            return self.body.split_to(len);
        }
        let mut copy = BytesMut::with_capacity(len);
        copy.put(self.take(len));
        copy.freeze()
    }
}
