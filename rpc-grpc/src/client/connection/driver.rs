//! The task of a connection: reads, writes, and looks after it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use h2::{Ping, PingPong, Reason, client::SendRequest};
use rpc_core::transport::{
    Io,
    supervise::{Activity, Demand, Due, Phase, Supervised as _, Timers},
};
use tokio::runtime::Handle;

use super::Connection;
use crate::{
    client::ClientConfig,
    io::{Flusher, Gather, Turn},
    wire::frame::Data,
};

type H2Connection = h2::client::Connection<Gather<Box<dyn Io>>, Data>;

/// Drives a connection to its end. Dropped, it breaks the connection off.
#[must_use = "nothing is read or written unless it is polled"]
pub(crate) struct Driver {
    h2: H2Connection,
    flusher: Flusher<Box<dyn Io>>,
    /// A handle to ask h2 with; `None` once the connection may close.
    probe: Option<SendRequest<Data>>,
    pings: Option<PingPong>,
    connection: Arc<Connection>,
    timers: Timers,
    /// `None` where more connections would be of no use.
    demand: Option<Demand>,
    turn: Turn,
    /// How often bytes had come in when the probe was asked last.
    probed_reads: u64,
    stream_window_bytes: u32,
    keepalive_timeout: Duration,
    /// How often the server complained of too many pings, over all connections of the link.
    complaints: Arc<AtomicU32>,
    /// How often before this connection.
    complaints_before: u32,
}

/// The connection is of no use any more.
struct Lost;

impl Driver {
    pub(super) fn new(
        mut h2: H2Connection,
        flusher: Flusher<Box<dyn Io>>,
        probe: SendRequest<Data>,
        connection: Arc<Connection>,
        config: &ClientConfig,
        complaints: Arc<AtomicU32>,
    ) -> Self {
        let pings = config
            .link
            .keepalive
            .interval
            .is_some()
            .then(|| h2.ping_pong())
            .flatten();
        let complaints_before = complaints.load(Relaxed);
        let timers = Timers::new(&config.link, complaints_before);
        Self {
            h2,
            flusher,
            probe: Some(probe),
            pings,
            connection,
            timers,
            demand: Demand::new(config.spread).filter(|_| has_workers()),
            turn: Turn::default(),
            probed_reads: 0,
            stream_window_bytes: config.stream_window_bytes,
            keepalive_timeout: config.link.keepalive.timeout,
            complaints,
            complaints_before,
        }
    }

    fn poll_h2(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match Pin::new(&mut self.h2).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => {
                // In good order, which is not to look like a connection that broke.
                self.connection.advance(Phase::Draining);
                Poll::Ready(())
            }
            Poll::Ready(Err(error)) => {
                self.note(&error);
                Poll::Ready(())
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.flusher.poll_flush(cx).map_err(|error| {
            self.lost(format!("writing failed: {error}"));
            Lost
        })
    }

    /// Learns what the peer has said since: how many streams it allows, and whether it goes away.
    fn probe(&mut self, cx: &mut Context<'_>) {
        let reads = self.flusher.reads();
        let Some(probe) = self.probe.as_mut().filter(|_| reads != self.probed_reads) else {
            return;
        };
        self.probed_reads = reads;
        if let Poll::Ready(Err(error)) = probe.poll_ready(cx) {
            self.note(&error);
            self.connection.advance(Phase::Draining);
            return;
        }
        let limit = probe.current_max_send_streams();
        if limit != self.connection.slots.limit() {
            self.connection.slots.set_limit(limit);
        }
    }

    fn poll_timers(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let activity = Activity {
            calls: self.connection.slots.taken(),
            begun: self.connection.opened().into(),
            reads: self.flusher.reads(),
        };
        let Poll::Ready(due) = self.timers.poll(cx, activity) else {
            return Poll::Pending;
        };
        match due {
            Due::Old => self.connection.advance(Phase::Retiring),
            Due::Idle => self.connection.life.note_quiet(),
            Due::Ping => {
                if let Some(pings) = &mut self.pings {
                    // One that is still under way will do as well.
                    let _ = pings.send_ping(Ping::opaque());
                }
            }
            Due::Dead => {
                self.lost(format!("no answer to a ping within {:?}", self.keepalive_timeout));
                return Poll::Ready(Err(Lost));
            }
            // Buffers go back whenever there are no calls.
            Due::Trim => {}
        }
        Poll::Ready(Ok(()))
    }

    /// Resets what was given up. True if h2 has something to write then.
    fn drive_resets(&mut self, sent: u32) -> bool {
        let (h2, window) = (&mut self.h2, self.stream_window_bytes);
        // SETTINGS that say nothing new, for the sake of their acknowledgement.
        self.connection
            .resets
            .drive(sent, || h2.set_initial_window_size(window).is_ok())
    }

    /// Lets h2 close the connection.
    fn release(&mut self) {
        self.probe = None;
        self.connection.sender().requests = None;
    }

    /// Notes what an error says of the connection.
    fn note(&self, error: &h2::Error) {
        if !error.is_go_away() || !error.is_remote() {
            return self.lost(error.to_string());
        }
        tracing::debug!(%error, peer = ?self.connection.peer, "the peer closes the connection");
        // What it says besides the code is only in the text.
        let calm = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
        if calm && error.to_string().contains("too_many_pings") {
            let complaints = self.complaints_before.saturating_add(1);
            // However often it is noted, it is one.
            self.complaints.fetch_max(complaints, Relaxed);
            tracing::warn!(peer = ?self.connection.peer, complaints, "the server got too many pings; they get fewer from now on");
        }
    }

    fn lost(&self, why: String) {
        tracing::debug!(why, peer = ?self.connection.peer, "a connection was lost");
        // Only the first reason is one.
        let _ = self.connection.loss.set(why);
    }

    fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let calls = self.connection.slots.taken();
        if self.turn.poll(cx, calls > 1).is_pending() {
            return Poll::Pending;
        }
        self.connection.set_driver(cx.waker());
        self.flusher.begin_turn(calls > 1);
        if let Some(demand) = &mut self.demand {
            self.connection.life.note_driven();
            demand.note(calls, self.connection.opened(), &self.connection.life);
        }
        loop {
            // What was opened by now is written below.
            let resets = self.connection.resets.is_pending();
            let sent = if resets { self.connection.opened() } else { 0 };
            let unwritten = self.connection.resets.unwritten();
            if self.poll_h2(cx).is_ready() {
                return Poll::Ready(());
            }
            self.probe(cx);
            let flushed = match self.poll_flush(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(Lost)) => return Poll::Ready(()),
                Poll::Pending => false,
            };
            if flushed {
                self.connection.resets.note_written(unwritten);
            }
            // What was given up is reset only after what was opened before it has gone out.
            let mut again = resets && flushed && self.drive_resets(sent);
            if self.probe.is_some() && !self.connection.takes_calls() && self.connection.slots.taken() == 0 {
                self.release();
                again = true;
            }
            match self.poll_timers(cx) {
                Poll::Ready(Ok(())) => again = true,
                Poll::Ready(Err(Lost)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if let Some(pings) = &mut self.pings {
                // The answer counts as any other byte that is read.
                let _ = pings.poll_pong(cx);
            }
            if !again {
                if self.flusher.is_paused() {
                    self.turn.go_back(cx);
                } else if calls == 0 && flushed {
                    self.flusher.trim();
                }
                return Poll::Pending;
            }
        }
    }
}

/// True if the runtime can work on several connections at a time.
fn has_workers() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.metrics().num_workers() > 1)
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_driver(cx)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.release();
        self.connection.resets.close();
        self.connection.advance(Phase::Closed);
    }
}
