//! A writer that gathers, and a reader that stops after a while.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is gathered before it is written in any case.
const GATHER_BYTES: usize = 256 << 10;

/// Pieces from this size on are written from where they are, together with what was gathered: copying them costs more than
/// the system call that it saves.
const LARGE_BYTES: usize = 16 << 10;

/// The same, if more than one call is under way.
///
/// A message that is written on its own leaves as full segments and one that holds what is over, and its trailers as a third;
/// to the network each is a packet, which costs more than the copy by which messages share theirs.
const LARGE_AMONG_OTHERS_BYTES: usize = 128 << 10;

/// How much is read before what came is worked off.
///
/// h2 reads for as long as there is something, and only then are calls looked at. With large messages that would be megabytes:
/// all of a socket's buffer, each message out of the caches again before anybody looks at it. A few messages at a time stay
/// in them from here to where they are used, and their answers go out while the next ones are read.
///
/// What is read in one turn nobody has looked at, so it must not spend what
/// [small frames may take](crate::wire::tolerance::small_frames_bytes): 26,000 frames of a byte are charged 6.4 MiB.
const READ_BYTES: usize = 256 << 10;

/// What an idle connection may keep of its buffer.
const KEEP_BYTES: usize = 4 << 10;

/// Puts a gathering writer around a byte stream: one half for h2, the other for the task that drives the connection.
pub(crate) fn gather<T>(io: T) -> (Gather<T>, Flusher<T>) {
    let inner = Mutex::new(Inner {
        io,
        out: Vec::new(),
        written: 0,
        total: 0,
        unflushed: false,
        large: LARGE_BYTES,
        readable: usize::MAX,
        paused: false,
    });
    let shared = Arc::new(Shared {
        inner,
        counts: Arc::default(),
    });
    (Gather(Arc::clone(&shared)), Flusher(shared))
}

/// What h2 reads from and writes to. Its flush does nothing.
pub(crate) struct Gather<T>(Arc<Shared<T>>);

/// The other half: writes what was gathered, and knows what happened on the stream.
pub(crate) struct Flusher<T>(Arc<Shared<T>>);

/// One task uses both halves, so the lock is free whenever it is asked for.
struct Shared<T> {
    inner: Mutex<Inner<T>>,
    counts: Arc<Counts>,
}

/// Apart from the stream, which is closed when both halves are gone, whoever still looks at these.
#[derive(Debug, Default)]
struct Counts {
    reads: AtomicU64,
    writes: AtomicU64,
}

struct Inner<T> {
    io: T,
    /// What was gathered; the first `written` bytes of it are gone already.
    out: Vec<u8>,
    written: usize,
    /// How many bytes were ever written below.
    total: u64,
    /// Something was written below that may still wait for a flush, as TLS holds records back.
    unflushed: bool,
    /// The size from which on a piece is written from where it is.
    large: usize,
    /// How many bytes may still be read in this turn.
    readable: usize,
    /// There may be more to read than that.
    paused: bool,
}

impl<T: AsyncWrite + Unpin> Flusher<T> {
    /// Writes what was gathered, down to the system.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_flush(cx, &self.0.counts.writes)
    }
}

impl<T> Flusher<T> {
    /// Begins a turn of the connection's task, in which `others` says whether more than one call is under way.
    ///
    /// Some bytes are read in it, and whoever polls h2 must ask then whether there [are more](Self::is_paused).
    pub(crate) fn begin_turn(&self, others: bool) {
        let mut inner = self.0.lock();
        inner.large = if others {
            LARGE_AMONG_OTHERS_BYTES
        } else {
            LARGE_BYTES
        };
        inner.readable = READ_BYTES;
        inner.paused = false;
    }

    /// True if reading was stopped, and nobody will be woken when there is something to read.
    pub(crate) fn is_paused(&self) -> bool {
        self.0.lock().paused
    }

    /// How often bytes came in. Whoever remembers it knows later whether the peer was heard of since.
    pub(crate) fn reads(&self) -> u64 {
        self.0.counts.reads.load(Ordering::Relaxed)
    }

    /// How many bytes the stream has taken. Whoever remembers it knows later whether the peer goes on to take what it is sent.
    pub(crate) fn taken(&self) -> u64 {
        self.0.lock().total
    }

    /// The count of writes, for others than the connection's task.
    pub(crate) fn write_counter(&self) -> WriteCounter {
        WriteCounter(Arc::clone(&self.0.counts))
    }

    /// Adds bytes after those that h2 has written. They must be whole frames, and h2 must not write any more.
    pub(crate) fn append(&self, bytes: &[u8]) {
        self.0.lock().out.extend_from_slice(bytes);
    }

    /// Gives back the memory of a connection on which nothing happens.
    pub(crate) fn trim(&self) {
        let mut inner = self.0.lock();
        if inner.out.is_empty() && inner.out.capacity() > KEEP_BYTES {
            inner.out = Vec::new();
        }
    }
}

/// How often bytes were about to go out.
///
/// It is counted before each write: whatever is handed to h2 after the count was read, and before it changes, has certainly
/// not left this process.
#[derive(Debug, Clone)]
pub(crate) struct WriteCounter(Arc<Counts>);

impl WriteCounter {
    pub(crate) fn get(&self) -> u64 {
        self.0.writes.load(Ordering::SeqCst)
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A panic of the stream below leaves the buffer whole: at worst the connection breaks off.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: AsyncWrite + Unpin> Inner<T> {
    fn poll_gather(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
        writes: &AtomicU64,
    ) -> Poll<io::Result<usize>> {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        let copies = len < self.large || !self.io.is_write_vectored();
        loop {
            let room = GATHER_BYTES.saturating_sub(self.out.len());
            if copies && (room >= len || room >= self.large) {
                return Poll::Ready(Ok(self.copy(pieces, room)));
            }
            let gathered = self.out.len() - self.written;
            let count = ready!(self.poll_write(cx, pieces, writes))?;
            if count > gathered {
                return Poll::Ready(Ok(count - gathered));
            }
        }
    }

    /// Writes what was gathered and, in one go, what follows it; tells how many bytes of both went.
    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
        writes: &AtomicU64,
    ) -> Poll<io::Result<usize>> {
        writes.fetch_add(1, Ordering::SeqCst);
        let gathered = &self.out[self.written..];
        let io = Pin::new(&mut self.io);
        let count = if pieces.is_empty() || !io.is_write_vectored() {
            let first = if gathered.is_empty() {
                pieces.first().map_or(&[][..], |piece| piece)
            } else {
                gathered
            };
            ready!(io.poll_write(cx, first))?
        } else {
            // h2 hands over its own buffer and up to two pieces of a message.
            let mut slices = [IoSlice::new(&[]); 8];
            let mut filled = 0;
            let whole = std::iter::once(gathered).chain(pieces.iter().map(|piece| &**piece));
            for (slot, piece) in slices.iter_mut().zip(whole.filter(|piece| !piece.is_empty())) {
                *slot = IoSlice::new(piece);
                filled += 1;
            }
            ready!(io.poll_write_vectored(cx, &slices[..filled]))?
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = true;
        self.total += count as u64;
        self.written += count.min(gathered.len());
        if self.written == self.out.len() {
            self.out.clear();
            self.written = 0;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>, writes: &AtomicU64) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            ready!(self.poll_write(cx, &[], writes))?;
        }
        if self.unflushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn copy(&mut self, pieces: &[IoSlice<'_>], room: usize) -> usize {
        let mut left = room;
        for piece in pieces {
            let part = &piece[..piece.len().min(left)];
            self.out.extend_from_slice(part);
            left -= part.len();
        }
        room - left
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Gather<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        if inner.readable == 0 {
            inner.paused = true;
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut inner.io).poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        if count > 0 {
            self.0.counts.reads.fetch_add(1, Ordering::Relaxed);
        }
        inner.readable = inner.readable.saturating_sub(count);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Gather<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().poll_gather(cx, bufs, &self.0.counts.writes)
    }

    fn is_write_vectored(&self) -> bool {
        // h2 then hands large messages over as they are.
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_flush(cx, &self.0.counts.writes))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;

    fn pair(capacity: usize) -> (Gather<DuplexStream>, Flusher<DuplexStream>, DuplexStream) {
        let (near, far) = tokio::io::duplex(capacity);
        let (gather, flusher) = gather(near);
        (gather, flusher, far)
    }

    #[tokio::test]
    async fn small_writes_wait_for_the_flush() {
        let (mut gather, flusher, mut far) = pair(1024);
        gather.write_all(b"one ").await.unwrap();
        gather.write_all(b"two").await.unwrap();
        gather.flush().await.unwrap();
        assert_eq!(flusher.write_counter().get(), 0);
        poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
        assert_eq!(flusher.write_counter().get(), 1);
        let mut buffer = [0; 16];
        assert_eq!(far.read(&mut buffer).await.unwrap(), 7);
        assert_eq!(&buffer[..7], b"one two");
    }

    #[tokio::test]
    async fn large_writes_wait_only_among_others() {
        let message = vec![2; 65_536];
        for (others, writes) in [(false, 3), (true, 0)] {
            let (mut gather, flusher, _far) = pair(GATHER_BYTES);
            flusher.begin_turn(others);
            for _ in 0..3 {
                let bufs = [IoSlice::new(&[1; 100]), IoSlice::new(&message)];
                assert_eq!(gather.write_vectored(&bufs).await.unwrap(), 65_636);
            }
            assert_eq!(flusher.write_counter().get(), writes);
        }
    }

    #[tokio::test]
    async fn order_survives_large_pieces_and_a_narrow_stream() {
        order_survives(false).await;
        order_survives(true).await;
    }

    async fn order_survives(others: bool) {
        let (mut gather, flusher, mut far) = pair(1000);
        flusher.begin_turn(others);
        let sent: Vec<u8> = (0..500_000u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let reader = tokio::spawn(async move {
            let mut got = vec![0; expected.len()];
            far.read_exact(&mut got).await.unwrap();
            assert!(got == expected);
        });
        let sizes = [1, 300, 20_000, 7, 70_000, 16_384, 100_000, 9];
        let mut rest = &sent[..];
        for size in sizes.into_iter().cycle() {
            let (piece, after) = rest.split_at(size.min(rest.len()));
            let (a, b) = piece.split_at(piece.len() / 3);
            let mut written = 0;
            while written < piece.len() {
                let bufs = [
                    IoSlice::new(&a[written.min(a.len())..]),
                    IoSlice::new(&b[written.saturating_sub(a.len())..]),
                ];
                written += gather.write_vectored(&bufs).await.unwrap();
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
        reader.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_gathered_is_bounded() {
        let (mut gather, flusher, far) = pair(10);
        let mut taken = 0;
        loop {
            let piece = [0; 1000];
            let write = poll_fn(|cx| {
                Poll::Ready(match Pin::new(&mut gather).poll_write(cx, &piece) {
                    Poll::Ready(written) => Some(written.unwrap()),
                    Poll::Pending => None,
                })
            });
            match write.await {
                Some(written) => taken += written,
                None => break,
            }
        }
        assert!(taken <= GATHER_BYTES + 10, "{taken}");
        drop(far);
        assert!(poll_fn(|cx| flusher.poll_flush(cx)).await.is_err());
    }

    #[tokio::test]
    async fn reading_stops_after_a_while() {
        let (mut gather, flusher, mut far) = pair(4 * READ_BYTES);
        far.write_all(&vec![1; 3 * READ_BYTES]).await.unwrap();
        let mut read_on = || {
            let mut taken = 0;
            flusher.begin_turn(false);
            let mut room = [0; 8000];
            let mut cx = Context::from_waker(std::task::Waker::noop());
            loop {
                let mut buf = ReadBuf::new(&mut room);
                match Pin::new(&mut gather).poll_read(&mut cx, &mut buf) {
                    Poll::Ready(read) => read.unwrap(),
                    Poll::Pending => return (taken, flusher.is_paused()),
                }
                taken += buf.filled().len();
            }
        };
        let (first, more) = read_on();
        assert!(
            more && (READ_BYTES..READ_BYTES + 8000).contains(&first),
            "{first}"
        );
        let (second, more) = read_on();
        assert!(
            more && (READ_BYTES..READ_BYTES + 8000).contains(&second),
            "{second}"
        );
        assert_eq!(read_on(), (3 * READ_BYTES - first - second, false));
    }

    #[tokio::test]
    async fn an_idle_connection_gives_its_buffer_back() {
        let (mut gather, flusher, _far) = pair(GATHER_BYTES);
        for _ in 0..6 {
            gather.write_all(&[0; 10_000]).await.unwrap();
        }
        flusher.trim();
        assert!(flusher.0.lock().out.capacity() >= 60_000, "it is not empty yet");
        poll_fn(|cx| flusher.poll_flush(cx)).await.unwrap();
        flusher.trim();
        assert_eq!(flusher.0.lock().out.capacity(), 0);
    }
}
