//! A buffer that refuses to outgrow a limit.

use std::io;

use bytes::Bytes;

/// Bytes up to a limit. It grows by doubling, but never asks for more than the limit.
#[derive(Debug)]
pub(super) struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    overflown: bool,
}

impl Bounded {
    pub(super) fn new(expected: usize, limit: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(expected.min(limit)),
            limit,
            overflown: false,
        }
    }

    /// True if more was written than the limit allows.
    pub(super) fn is_overflown(&self) -> bool {
        self.overflown
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes.into()
    }
}

impl io::Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let needed = self.bytes.len() + piece.len();
        if needed > self.limit {
            self.overflown = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        if needed > self.bytes.capacity() {
            let capacity = needed.max(self.bytes.capacity() * 2).min(self.limit);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn never_asks_for_more_than_the_limit() {
        let mut bounded = Bounded::new(usize::MAX, 1000);
        assert!(bounded.bytes.capacity() <= 1000);
        bounded = Bounded::new(0, 1000);
        while bounded.write(&[0; 130]).is_ok() {
            assert!(bounded.bytes.capacity() <= 1000);
        }
        assert!(bounded.is_overflown());
        assert_eq!(bounded.into_bytes().len(), 910);
    }
}
