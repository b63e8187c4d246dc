//! The end of a connection, so that what was written last arrives.
//!
//! A transport drops its stream when it is done. If the socket were closed right then, whatever the peer still sends (the
//! acknowledgement of a ping, a window update) would be answered with a reset, and a reset throws away what lies in the
//! peer's buffers unread: the last answers, and the word that the server goes away. So the stream comes back to the
//! listener, which ends its own direction and reads until the peer has ended the other. It waits for a moment after whatever
//! it reads: a peer that takes what lies in the buffers slowly says so as it goes on.
//!
//! It happens here and not in the transports, as it is the same for all of them.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use crate::{
    BoxFuture,
    transport::{Drain, DrainPhase, Io},
};

/// How long a peer that has not ended its direction may say nothing, and how long it gets once calls are cancelled because the
/// server stops.
const MOMENT: Duration = Duration::from_secs(1);

/// How long a peer may take, whatever it says.
const LONGEST: Duration = Duration::from_secs(30);

/// Lends a stream. The future ends it once it was given back, by being dropped.
pub(super) fn lend<S: Io>(io: S, drain: Drain) -> (Lent<S>, BoxFuture<'static, ()>) {
    let (back, returned) = oneshot::channel();
    let ends = async move {
        if let Ok(io) = returned.await {
            // Boxed: until then, for as long as the connection lives, there is no need of room for it.
            Box::pin(linger(io, drain)).await;
        }
    };
    (Lent(Some((io, back))), Box::pin(ends))
}

/// Ends a stream. Late or broken, it is closed.
async fn linger(io: impl Io, mut drain: Drain) {
    let cancelled = async {
        drain.reached(DrainPhase::Cancelling).await;
        tokio::time::sleep(MOMENT).await;
    };
    tokio::select! {
        _ = tokio::time::timeout(LONGEST, end(io)) => {}
        () = cancelled => {}
    }
}

async fn end(mut io: impl Io) -> io::Result<()> {
    let mut bytes = vec![0; 4096];
    let (mut ours, mut theirs) = (false, false);
    while !(ours && theirs) {
        // At once, as TLS ends its direction behind what the peer has not taken yet.
        let more = poll_fn(|cx| {
            if !ours && let Poll::Ready(ended) = Pin::new(&mut io).poll_shutdown(cx) {
                ended?;
                ours = true;
            }
            if theirs {
                return if ours { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            let mut rest = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut io).poll_read(cx, &mut rest))?;
            theirs = rest.filled().is_empty();
            Poll::Ready(io::Result::Ok(()))
        });
        tokio::time::timeout(MOMENT, more).await??;
    }
    Ok(())
}

/// A stream that goes back when it is dropped. It is there until then.
pub(super) struct Lent<S>(Option<(S, oneshot::Sender<S>)>);

impl<S: Unpin> Lent<S> {
    fn io(self: Pin<&mut Self>) -> Pin<&mut S> {
        let (io, _) = self
            .get_mut()
            .0
            .as_mut()
            .expect("it is there until it is dropped");
        Pin::new(io)
    }
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if let Some((io, back)) = self.0.take() {
            // Where nobody waits for it any more, it is closed.
            let _ = back.send(io);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.io().poll_read(cx, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.as_ref().is_some_and(|(io, _)| io.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io().poll_shutdown(cx)
    }
}
