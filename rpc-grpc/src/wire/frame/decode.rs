//! Reading frames.
//!
//! A message that is whole within one DATA frame is a slice of it; only one that spans several is put together in a buffer
//! of its own. The limit is checked when the length is known, before anything is kept; and since a length is only a claim, memory is
//! spent on what has come, not on what was announced.

use bytes::{Buf, Bytes};
use rpc_core::{Status, message::ReceivedCompressed, status::reason};

use super::PREFIX_BYTES;
use crate::wire::compress::Compression;

/// What is set aside at once for a message that has only begun to come.
const FIRST_BYTES: usize = 64 << 10;

/// Takes messages out of DATA as it comes.
#[derive(Debug)]
pub(crate) struct Decoder {
    limit_bytes: usize,
    compression: Option<Compression>,
    /// Whom to tell how each message came.
    observer: Option<ReceivedCompressed>,
    /// What was pushed and is not read yet.
    unread: Bytes,
    /// A prefix of which only a part has come.
    prefix: [u8; PREFIX_BYTES],
    prefix_len: u8,
    /// The message that is being put together.
    head: Option<Head>,
    partial: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    compressed: bool,
    len: u32,
}

impl Decoder {
    /// A decoder of messages of at most `limit_bytes`, inflated. Without a compression none may be compressed.
    pub(crate) fn new(limit_bytes: usize, compression: Option<Compression>) -> Self {
        Self {
            limit_bytes,
            compression,
            observer: None,
            unread: Bytes::new(),
            prefix: [0; PREFIX_BYTES],
            prefix_len: 0,
            head: None,
            partial: Vec::new(),
        }
    }

    /// Sets whom to tell of each message whether it came compressed.
    pub(crate) fn observed_by(mut self, observer: ReceivedCompressed) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Adds what came. [`next`](Self::next) must have said before that it has no message left.
    pub(crate) fn push(&mut self, data: Bytes) {
        debug_assert!(self.unread.is_empty(), "messages are taken before more is pushed");
        self.unread = data;
    }

    /// The next message that is whole, inflated; `None` if more must come first. After an error the stream is of no use.
    ///
    /// # Errors
    /// INTERNAL if the prefix is malformed or the message does not inflate, RESOURCE_EXHAUSTED if it is too large.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let head = match self.head {
            Some(head) => head,
            None => match self.read_head()? {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        let Some(message) = self.read_body(head.len as usize) else {
            self.head = Some(head);
            return Ok(None);
        };
        self.head = None;
        if let Some(observer) = &self.observer {
            observer.set(head.compressed);
        }
        match self.compression {
            Some(compression) if head.compressed => compression.inflate(&message, self.limit_bytes).map(Some),
            _ => Ok(Some(message)),
        }
    }

    /// Checks that the stream ended between messages.
    ///
    /// # Errors
    /// INTERNAL if it was cut off within one.
    pub(crate) fn finish(&self) -> Result<(), Status> {
        if self.head.is_none() && self.prefix_len == 0 {
            return Ok(());
        }
        Err(broken("the stream ended within a message"))
    }

    fn read_head(&mut self) -> Result<Option<Head>, Status> {
        let before = usize::from(self.prefix_len);
        let missing = PREFIX_BYTES - before;
        let taken = missing.min(self.unread.len());
        self.prefix[before..][..taken].copy_from_slice(&self.unread[..taken]);
        self.unread.advance(taken);
        self.prefix_len = (before + taken) as u8;
        if taken < missing {
            return Ok(None);
        }
        self.prefix_len = 0;
        let [flag, len @ ..] = self.prefix;
        let len = u32::from_be_bytes(len);
        let compressed = match flag {
            0 => false,
            1 if self.compression.is_some() => true,
            1 => {
                return Err(broken(
                    "a message is compressed, but `grpc-encoding` does not say how",
                ));
            }
            _ => return Err(broken("the flag of a message is neither 0 nor 1")),
        };
        // A message that does not shrink is a little larger when compressed.
        let allowed = if compressed {
            self.limit_bytes.saturating_add(self.limit_bytes / 256 + 64)
        } else {
            self.limit_bytes
        };
        if len as usize > allowed {
            let limit = self.limit_bytes;
            return Err(Status::resource_exhausted(format!(
                "a message of {len} bytes came, the limit is {limit}"
            ))
            .with_reason(reason::MESSAGE_TOO_LARGE)
            .with_domain(reason::DOMAIN));
        }
        Ok(Some(Head { compressed, len }))
    }

    fn read_body(&mut self, len: usize) -> Option<Bytes> {
        if self.partial.is_empty() && self.unread.len() >= len {
            return Some(self.unread.split_to(len));
        }
        let missing = len - self.partial.len();
        let piece = self.unread.split_to(missing.min(self.unread.len()));
        let needed = self.partial.len() + piece.len();
        if needed > self.partial.capacity() {
            let capacity = needed.max(self.partial.len() * 2).max(FIRST_BYTES).min(len);
            self.partial.reserve_exact(capacity - self.partial.len());
        }
        self.partial.extend_from_slice(&piece);
        (piece.len() == missing).then(|| std::mem::take(&mut self.partial).into())
    }
}

fn broken(what: &'static str) -> Status {
    Status::internal(what)
        .with_reason(reason::PROTOCOL_BROKEN)
        .with_domain(reason::DOMAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_spent_on_what_has_come() {
        let mut decoder = Decoder::new(64 << 20, None);
        decoder.push(Bytes::from_static(b"\0\x03\0\0\0x"));
        assert!(decoder.next().expect("it is within the limit").is_none());
        assert!(decoder.partial.capacity() <= FIRST_BYTES);
        let mut came = 1;
        while came < 10 << 20 {
            decoder.push(Bytes::from(vec![0; 100_000]));
            assert!(decoder.next().expect("it is well-formed").is_none());
            came += 100_000;
            assert!(decoder.partial.capacity() <= 2 * came);
        }
    }
}
