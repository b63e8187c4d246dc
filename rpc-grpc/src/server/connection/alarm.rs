//! What happens on a connection by itself, and how it ends: its clocks, the server's stop, pings.

use std::{
    task::{Context as Poller, Poll},
    time::Duration,
};

use h2::{Ping, Reason};
use rpc_core::transport::DrainPhase;
use tokio::time::Instant;

use super::{Connection, run::Work};
use crate::server::{lifetime::Due, police::too_many_pings};

/// How long a peer that is only to take what it was sent may take nothing of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a peer that is only to take what it was sent has taken.
#[derive(Debug)]
pub(super) struct Closing {
    taken: u64,
    /// It is left then, unless it takes more.
    pub(super) until: Instant,
}

impl<F, M> Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F,
{
    /// Looks at the timer and at the server's stop. Ready if that ends the connection.
    pub(super) fn poll_alarm(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        self.timer.poll(&self.conn.alarm);
        while let Some(reached) = self.stop.poll(&self.conn.alarm) {
            if reached >= DrainPhase::Draining {
                self.start_drain();
            }
            if reached >= DrainPhase::EndingStreams {
                self.conn.end_streams();
                self.running.wake_streams();
            }
            if reached >= DrainPhase::Cancelling {
                self.close(cx);
                return Poll::Ready(());
            }
        }
        let now = Instant::now();
        self.running.expire(now);
        match self.lifetime.due(now, self.flusher.reads()) {
            Due::Nothing => {}
            Due::Trim => {
                self.flusher.trim();
                self.runner.trim();
            }
            Due::Drain => self.start_drain(),
            Due::Ping => {
                if self.pings.is_none() {
                    self.pings = self.h2.ping_pong();
                }
                if let Some(pings) = &mut self.pings {
                    // It fails if the last one was not answered, and then the next look finds the peer silent.
                    let _ = pings.send_ping(Ping::opaque());
                }
            }
            Due::Close(why) => {
                tracing::debug!(peer = ?self.conn.caller.peer(), "a connection is closed: {why}");
                self.close(cx);
                return Poll::Ready(());
            }
        }
        self.refuses |= self.lifetime.refuses(now);
        Poll::Pending
    }

    /// Tells the peer to go elsewhere, in two steps: h2 sends the last id that it takes once the peer has heard the first.
    fn start_drain(&mut self) {
        if !self.is_draining {
            self.is_draining = true;
            self.conn.await_end();
            self.h2.graceful_shutdown();
            self.lifetime.draining(Instant::now());
        }
    }

    /// Closes the connection once the peer has taken all that was sent to it, or takes no more of it. There must be no streams,
    /// and come no new ones.
    pub(super) fn poll_close(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        self.h2.abrupt_shutdown(Reason::NO_ERROR);
        let closed = self
            .h2
            .poll_closed(&mut Poller::from_waker(self.attention.waker()));
        match self.flusher.poll_flush(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ if closed.is_ready() || !self.still_takes() => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// True if the peer still takes what it was sent, as far as can be told. Nothing is read from it any more, so no ping tells.
    fn still_takes(&mut self) -> bool {
        let (now, taken) = (Instant::now(), self.flusher.taken());
        if let Some(closing) = &self.closing
            && closing.taken == taken
        {
            if closing.until <= now {
                tracing::debug!(peer = ?self.conn.caller.peer(), "a connection is closed: its peer does not take the rest");
            }
            return closing.until > now;
        }
        let until = now + PATIENCE;
        self.closing = Some(Closing { taken, until });
        self.lifetime.closing();
        true
    }

    /// Breaks everything off. What can be said of it at once is said.
    pub(super) fn close(&mut self, cx: &mut Poller<'_>) {
        self.h2.abrupt_shutdown(Reason::NO_ERROR);
        let _ = self.h2.poll_closed(cx);
        let _ = self.flusher.poll_flush(cx);
    }

    /// Tells a client that pings too often so; true if it does.
    pub(super) fn is_pinged_too_often(&mut self, cx: &mut Poller<'_>, busy: bool) -> bool {
        let activity = &self.activity;
        let excessive = self
            .police
            .as_mut()
            .is_some_and(|police| police.is_excessive(activity, Instant::now, busy));
        if excessive {
            tracing::debug!(peer = ?self.conn.caller.peer(), "a connection is closed: its client pings too often");
            self.flusher.append(&too_many_pings(self.activity.last_stream()));
            let _ = self.flusher.poll_flush(cx);
        }
        excessive
    }

    /// Takes note of an answer to a ping, so that another can be sent.
    pub(super) fn poll_pong(&mut self) {
        if let Some(pings) = &mut self.pings {
            let _ = pings.poll_pong(&mut Poller::from_waker(self.attention.waker()));
        }
    }
}
