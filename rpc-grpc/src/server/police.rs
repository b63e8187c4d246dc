//! What goes over a connection, as far as h2 does not tell: frames by kind, in either direction.
//!
//! # Why below h2
//! h2 answers pings by itself and has no hook for them, so a server that wants to know how often its peer pings must look
//! at the bytes. Only the nine bytes that each frame begins with are looked at; what is in the frame is skipped. The
//! alternative, to trust all peers, lets a client keep thousands of idle connections busy.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context as Poller, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

const FRAME_HEAD_BYTES: usize = 9;
const PREFACE_BYTES: u32 = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const ACK: u8 = 1;

/// What was seen; the connection's task asks.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Pings of the peer that nobody has asked about yet.
    pings: AtomicU32,
    /// HEADERS or DATA left since that was last asked.
    answered: AtomicBool,
    /// The last call that the peer began.
    last_stream: AtomicU32,
}

impl Activity {
    /// The last call that the peer began.
    pub(super) fn last_stream(&self) -> u32 {
        self.last_stream.load(Ordering::Relaxed)
    }
}

/// A byte stream whose frames are counted.
pub(super) struct Observed<T> {
    io: T,
    activity: Arc<Activity>,
    incoming: Scanner,
    outgoing: Scanner,
}

impl<T> Observed<T> {
    pub(super) fn new(io: T) -> (Self, Arc<Activity>) {
        let activity = Arc::<Activity>::default();
        let observed = Self {
            io,
            activity: Arc::clone(&activity),
            incoming: Scanner::after(PREFACE_BYTES),
            outgoing: Scanner::after(0),
        };
        (observed, activity)
    }

    fn wrote(&mut self, bytes: &[u8]) {
        let mut answered = false;
        self.outgoing
            .scan(bytes, |head| answered |= matches!(head.kind, DATA | HEADERS));
        if answered {
            self.activity.answered.store(true, Ordering::Relaxed);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Observed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        let (mut pings, mut last_stream) = (0, 0);
        self.incoming.scan(read, |head| match head.kind {
            PING if head.flags & ACK == 0 => pings += 1,
            HEADERS => last_stream = head.stream,
            _ => {}
        });
        if pings > 0 {
            self.activity.pings.fetch_add(pings, Ordering::Relaxed);
        }
        if last_stream > 0 {
            self.activity
                .last_stream
                .fetch_max(last_stream, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Observed<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Poller<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, buf))?;
        self.wrote(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Poller<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = left.min(buf.len());
            self.wrote(&buf[..part]);
            left -= part;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What a frame begins with, besides its length.
struct FrameHead {
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Finds the frames in a stream of bytes that comes in pieces of any size.
#[derive(Debug)]
struct Scanner {
    head: [u8; FRAME_HEAD_BYTES],
    head_len: usize,
    /// How much of the current frame is still to come.
    skip: u32,
}

impl Scanner {
    fn after(skip: u32) -> Self {
        Self {
            head: [0; FRAME_HEAD_BYTES],
            head_len: 0,
            skip,
        }
    }

    fn scan(&mut self, mut bytes: &[u8], mut frame: impl FnMut(FrameHead)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = bytes.len().min(self.skip as usize);
                self.skip -= skipped as u32;
                bytes = &bytes[skipped..];
                continue;
            }
            let taken = bytes.len().min(FRAME_HEAD_BYTES - self.head_len);
            self.head[self.head_len..][..taken].copy_from_slice(&bytes[..taken]);
            self.head_len += taken;
            bytes = &bytes[taken..];
            if self.head_len == FRAME_HEAD_BYTES {
                let [a, b, c, kind, flags, stream @ ..] = self.head;
                self.skip = u32::from_be_bytes([0, a, b, c]);
                self.head_len = 0;
                frame(FrameHead {
                    kind,
                    flags,
                    // The first bit means nothing.
                    stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
                });
            }
        }
    }
}

/// GOAWAY, ENHANCE_YOUR_CALM, with the text that tells a gRPC client to ping half as often. h2 cannot send a text.
pub(super) fn too_many_pings(last_stream: u32) -> Vec<u8> {
    const GOAWAY: u8 = 7;
    const ENHANCE_YOUR_CALM: u32 = 11;
    const TEXT: &[u8] = b"too_many_pings";
    let mut frame = vec![0, 0, 8 + TEXT.len() as u8, GOAWAY, 0, 0, 0, 0, 0];
    frame.extend(last_stream.to_be_bytes());
    frame.extend(ENHANCE_YOUR_CALM.to_be_bytes());
    frame.extend(TEXT);
    frame
}

/// How often a client may ping without a call under way, unless that is permitted.
const INTERVAL_WITHOUT_CALLS: Duration = Duration::from_hours(2);

/// How many early pings are forgiven.
const STRIKES: u32 = 2;

/// Counts pings that come too early.
#[derive(Debug)]
pub(super) struct PingPolice {
    min_interval: Duration,
    permit_without_calls: bool,
    last: Option<Instant>,
    strikes: u32,
}

impl PingPolice {
    pub(super) fn new(min_interval: Duration, permit_without_calls: bool) -> Self {
        Self {
            min_interval,
            permit_without_calls,
            last: None,
            strikes: 0,
        }
    }

    /// Judges what was seen since the last time; true if the peer pings too much.
    pub(super) fn is_excessive(
        &mut self,
        activity: &Activity,
        now: impl FnOnce() -> Instant,
        calls: bool,
    ) -> bool {
        if activity.pings.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let pings = activity.pings.swap(0, Ordering::Relaxed);
        let now = now();
        if activity.answered.swap(false, Ordering::Relaxed) {
            // As the other implementations do: the first ping after an answer is free, and wipes the slate.
            self.strikes = 0;
            self.last = None;
        }
        for _ in 0..pings {
            let least = if calls || self.permit_without_calls {
                self.min_interval
            } else {
                INTERVAL_WITHOUT_CALLS
            };
            if self
                .last
                .is_some_and(|last| now.saturating_duration_since(last) < least)
            {
                self.strikes += 1;
            }
            self.last = Some(now);
        }
        self.strikes > STRIKES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let [_, a, b, c] = (payload as u32).to_be_bytes();
        let mut bytes = vec![a, b, c, kind, flags, 0, 0, 0, 1];
        bytes.resize(FRAME_HEAD_BYTES + payload, PING);
        bytes
    }

    #[test]
    fn finds_frames_however_they_are_cut() {
        let mut bytes = vec![PING; PREFACE_BYTES as usize];
        for (kind, flags, payload) in [
            (4, 0, 18),
            (PING, 0, 8),
            (DATA, 1, 300),
            (PING, ACK, 8),
            (HEADERS, 4, 0),
        ] {
            bytes.extend(frame(kind, flags, payload));
        }
        for piece in 1..bytes.len() {
            let mut scanner = Scanner::after(PREFACE_BYTES);
            let mut seen = Vec::new();
            for bytes in bytes.chunks(piece) {
                scanner.scan(bytes, |head| seen.push((head.kind, head.flags)));
            }
            assert_eq!(
                seen,
                [(4, 0), (PING, 0), (DATA, 1), (PING, ACK), (HEADERS, 4)],
                "pieces of {piece}"
            );
        }
    }

    #[test]
    fn the_third_early_ping_is_too_much_and_an_answer_forgives() {
        let (activity, start) = (Activity::default(), Instant::now());
        let mut police = PingPolice::new(Duration::from_mins(5), false);
        let mut ping = |at: u64, calls| {
            activity.pings.fetch_add(1, Ordering::Relaxed);
            police.is_excessive(&activity, || start + Duration::from_secs(at), calls)
        };
        assert!(!ping(0, true), "the first");
        assert!(!ping(400, true), "late enough");
        assert!(!ping(401, true));
        assert!(!ping(402, true));
        activity.answered.store(true, Ordering::Relaxed);
        assert!(!ping(403, true), "something was sent");
        assert!(!ping(404, true));
        assert!(!ping(405, true));
        assert!(ping(406, true), "the third early one");
    }

    #[test]
    fn no_interval_is_too_long() {
        let (activity, now) = (Activity::default(), Instant::now());
        let mut police = PingPolice::new(Duration::MAX, true);
        activity.pings.fetch_add(3, Ordering::Relaxed);
        assert!(!police.is_excessive(&activity, || now, true));
        activity.pings.fetch_add(1, Ordering::Relaxed);
        assert!(police.is_excessive(&activity, || now, true));
    }

    #[test]
    fn without_calls_two_hours_must_lie_between() {
        let (activity, start) = (Activity::default(), Instant::now());
        let mut police = PingPolice::new(Duration::from_secs(1), false);
        activity.pings.fetch_add(1, Ordering::Relaxed);
        assert!(!police.is_excessive(&activity, || start, false));
        for at in 1..=2 {
            activity.pings.fetch_add(1, Ordering::Relaxed);
            assert!(!police.is_excessive(&activity, || start + Duration::from_mins(at * 10), false));
        }
        activity.pings.fetch_add(1, Ordering::Relaxed);
        assert!(police.is_excessive(&activity, || start + Duration::from_mins(30), false));
    }
}
