//! A stream that begins with bytes which were read from it already.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// At most so many bytes are looked at: the length of HTTP/2's preface.
pub(super) const LONGEST: usize = 24;

/// The first bytes of a connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prefix {
    bytes: [u8; LONGEST],
    length: u8,
    /// How many of them were read again.
    taken: u8,
}

impl Prefix {
    /// The bytes so far.
    pub(super) fn seen(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// True if no more are looked at.
    pub(super) fn is_full(&self) -> bool {
        usize::from(self.length) == LONGEST
    }

    /// Reads more of them; true if there are more, false at the end of the stream.
    pub(super) fn poll_fill(
        &mut self,
        io: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<bool>> {
        let mut room = ReadBuf::new(&mut self.bytes[usize::from(self.length)..]);
        std::task::ready!(io.poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.length += u8::try_from(read).expect("there are 24 bytes at most");
        Poll::Ready(Ok(read > 0))
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[usize::from(self.taken)..usize::from(self.length)]
    }
}

/// The stream with its first bytes in front of it again.
#[derive(Debug)]
pub(super) struct Prefixed<S> {
    prefix: Prefix,
    io: S,
}

impl<S> Prefixed<S> {
    pub(super) fn new(prefix: Prefix, io: S) -> Self {
        Self { prefix, io }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.prefix.rest();
        if rest.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, out);
        }
        let count = rest.len().min(out.remaining());
        out.put_slice(&rest[..count]);
        self.prefix.taken += u8::try_from(count).expect("there are 24 bytes at most");
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
