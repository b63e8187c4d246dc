//! What happens on a connection by itself, and how it ends: its clocks, the server's stop, a peer that breaks the protocol.

use std::task::{Context as Poller, Poll};

use rpc_core::transport::DrainPhase;
use tokio::time::Instant;

use super::{Connection, read::Batch, run::Work};
use crate::{
    server::lifetime::Due,
    wire::{Broken, CallId, Head, goaway, kind},
};

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
                self.calls.wake_streams();
            }
            if reached >= DrainPhase::Cancelling {
                return self.close(cx, goaway::STOPPING, "the server stops");
            }
        }
        let now = Instant::now();
        self.calls.expire(now);
        if self
            .stalled
            .is_some_and(|(since, _)| now >= since + self.conn.config.stall_timeout)
        {
            return self.close(cx, goaway::STALLED, "the peer does not read");
        }
        match self.lifetime.due(now, self.heard()) {
            Due::Nothing => {}
            Due::Trim => {
                self.inbox.trim();
                self.writer.trim(&self.conn.hub.outbox);
                if self.conn.calls() == 0 {
                    self.calls.trim(&self.conn.hub);
                    self.runner.trim();
                }
            }
            Due::Drain => self.start_drain(),
            Due::Ping => {
                self.police.ask();
                self.conn.hub.outbox.with(|queue| {
                    queue.small(Head::new(kind::PING, CallId::default()), &[0; 8]);
                });
            }
            Due::Close(why) => return self.close(cx, goaway::STOPPING, why),
        }
        if self.lifetime.refuses(now) {
            self.say_goodbye();
        }
        Poll::Pending
    }

    /// Tells the peer to go elsewhere. It answers once it has sent its last request here.
    fn start_drain(&mut self) {
        if !self.is_draining {
            self.is_draining = true;
            self.conn.await_fewer_than(1);
            self.conn
                .hub
                .outbox
                .with(|queue| queue.bare(kind::DRAIN, CallId::default()));
            self.lifetime.draining(Instant::now());
        }
    }

    /// Tells the peer which request was the last.
    pub(super) fn say_goodbye(&mut self) {
        if !self.is_final {
            self.is_final = true;
            let accepted = self.accepted;
            self.conn
                .hub
                .outbox
                .with(|queue| queue.goaway(accepted, goaway::STOPPING, "the server stops"));
        }
    }

    pub(super) fn break_off(&mut self, cx: &mut Poller<'_>, Broken(what): Broken) -> Batch {
        tracing::debug!(peer = ?self.conn.caller.peer(), what, "a client breaks the protocol");
        let _ = self.close(cx, goaway::PROTOCOL, what);
        Batch::Closed
    }

    /// Breaks everything off. What can be said of it at once is said.
    fn close(&mut self, cx: &mut Poller<'_>, why: u16, text: &str) -> Poll<()> {
        tracing::debug!(peer = ?self.conn.caller.peer(), text, "a connection is closed");
        let accepted = self.accepted;
        self.conn
            .hub
            .outbox
            .with(|queue| queue.goaway(accepted, why, text));
        let _ = self.writer.poll_flush(&self.conn.hub.outbox, &self.io, true, cx);
        Poll::Ready(())
    }
}
