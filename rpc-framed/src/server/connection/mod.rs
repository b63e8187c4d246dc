//! The task of one connection: reads requests, runs their handlers, writes the answers.
//!
//! # One task
//! It takes the frames that came and runs each call once, on the spot. A call that must wait goes to the executor; it is
//! never awaited here, since a task that waits writes no answers, and with large messages both sides then wait for each
//! other. What was answered is written after a batch of frames, of which [`Pace`] says how many, or a moment of work: a server
//! that writes only when all is done makes both sides take turns. After [`TURN_CALLS`] others get theirs.
//!
//! # Calls that wait
//! When [`TURN_WAITING`] calls were handed to the executor, the task goes behind them in the runtime's queue before it takes
//! the next batch, so that what is answered first goes out first. Without that, calls that each wait once were all handed
//! over before any was answered, and again both sides took turns.

mod alarm;
mod read;
mod run;

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context as Poller, Poll},
};

use rpc_core::{
    BoxFuture,
    context::Caller,
    server::Dispatch,
    transport::{
        Drain, DrainPhase, Io,
        connection::{Runner, Stop, Timer},
    },
};
use tokio::time::Instant;

use self::{
    read::Batch,
    run::{Work, work},
};
use super::{
    ServerConfig,
    accept::Numbers,
    calls::Calls,
    conn::Conn,
    handshake::{handshake, turn_away},
    lifetime::Lifetime,
    pace::Pace,
    police::Police,
    watch::Watched,
};
use crate::{
    io::{Inbox, Writer},
    stream::Hub,
    wire::preface::Settings,
};

/// How many calls that wait go on before the next batch is taken.
const TURN_WAITING: usize = 8;

/// How many frames are taken before other tasks get their turn.
const TURN_CALLS: usize = 192;

/// Serves a connection to its end.
pub(super) fn serve(
    io: Box<dyn Io>,
    config: Arc<ServerConfig>,
    dispatch: Dispatch,
    caller: Arc<Caller>,
    drain: Drain,
) -> BoxFuture<'static, ()> {
    // Either is in a box of its own, so that nothing of the handshake is kept for as long as the connection lives.
    let opening = Box::pin(open(io, config, dispatch, caller, drain));
    Box::pin(async move {
        if let Some(connection) = opening.await {
            connection.await;
        }
    })
}

/// Takes part in the handshake, and answers what serves the connection; `None` if nothing came of it.
async fn open(
    mut io: Box<dyn Io>,
    config: Arc<ServerConfig>,
    dispatch: Dispatch,
    caller: Arc<Caller>,
    mut drain: Drain,
) -> Option<BoxFuture<'static, ()>> {
    let settings = config.settings();
    let handshake = tokio::time::timeout(config.handshake_timeout, handshake(&mut io, &settings));
    let spoken = tokio::select! {
        biased;
        // Nothing has been asked yet, so nothing is lost. Waiting would let a silent peer hold up the stop.
        () = drain.reached(DrainPhase::Draining) => None,
        spoken = handshake => Some(spoken),
    };
    let (peer, inbox) = match spoken {
        Some(Ok(Ok(spoken))) => spoken,
        Some(Ok(Err(why))) => {
            tracing::debug!(peer = ?caller.peer(), why, "a peer does not speak the framed protocol");
            return None;
        }
        Some(Err(_)) => {
            tracing::debug!(peer = ?caller.peer(), "a peer did not begin to speak in time");
            return None;
        }
        None => {
            turn_away(&mut io, &settings).await;
            return None;
        }
    };
    let hub = Hub::new(&config.limits(), peer);
    let inbox = Inbox::new(inbox, config.frame_limit());
    let conn = Arc::new(Conn::new(config, dispatch, caller, hub));
    Some(Box::pin(Connection::new(io, inbox, settings, conn, drain, work)))
}

/// The task. `F` is the future of a call, which has no name, made by `M`.
struct Connection<F, M> {
    io: Mutex<Box<dyn Io>>,
    inbox: Inbox,
    /// When what is in there was read; set with the first frame of it.
    read_at: Option<Instant>,
    writer: Writer,
    settings: Settings,
    conn: Arc<Conn>,
    make: M,
    runner: Runner<F, Watched>,
    calls: Calls,
    numbers: Numbers,
    /// How many requests came.
    accepted: u64,
    timer: Timer,
    lifetime: Lifetime,
    police: Police,
    pace: Pace,
    stop: Stop,
    is_draining: bool,
    /// The peer was told which request was the last.
    is_final: bool,
    /// It has gone to the back of the queue, so that others could answer.
    turned: bool,
    /// How many calls were handed to the executor since then.
    handed: usize,
    /// Since when the peer takes nothing of what waits, and how much it had taken by then.
    stalled: Option<(Instant, u64)>,
    /// How often the peer made room for more of what waited.
    took: u64,
}

impl<F, M> Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F,
{
    fn new(
        io: Box<dyn Io>,
        inbox: Inbox,
        settings: Settings,
        conn: Arc<Conn>,
        drain: Drain,
        make: M,
    ) -> Self {
        let now = Instant::now();
        Self {
            io: Mutex::new(io),
            inbox,
            read_at: None,
            writer: Writer::default(),
            settings,
            make,
            runner: Runner::new(),
            calls: Calls::default(),
            numbers: Numbers::default(),
            accepted: 0,
            timer: Timer::default(),
            lifetime: Lifetime::new(&*conn.config, now),
            police: Police::new(now),
            pace: Pace::new(),
            stop: Stop::new(drain),
            is_draining: false,
            is_final: false,
            turned: false,
            handed: 0,
            stalled: None,
            took: 0,
            conn,
        }
    }

    /// Writes what waits; true if all of it is out. Whoever has more wakes the task if it `rests` then.
    fn flush(&mut self, rests: bool, cx: &mut Poller<'_>) -> Result<bool, ()> {
        let outbox = &self.conn.hub.outbox;
        let (was_busy, before) = (self.writer.is_busy(), self.writer.written);
        let flushed = self.writer.poll_flush(outbox, &self.io, rests, cx);
        self.took += u64::from(was_busy && self.writer.written != before);
        match flushed {
            Poll::Ready(Ok(())) => {
                self.stalled = None;
                Ok(true)
            }
            Poll::Ready(Err(error)) => {
                tracing::debug!(peer = ?self.conn.caller.peer(), %error, "a connection broke off");
                Err(())
            }
            Poll::Pending => Ok(false),
        }
    }

    /// How often the peer showed that it is there.
    fn heard(&self) -> u64 {
        // One that has more to read than it takes at once may not be read from meanwhile.
        self.inbox.reads + self.took
    }

    fn poll_connection(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        self.conn.alarm.register(cx.waker());
        // What is answered on the spot would wake the task that is answering.
        let waits = self.conn.hub.outbox.attend();
        if self.conn.alarm.take() && self.poll_alarm(cx).is_ready() {
            return Poll::Ready(());
        }
        // Calls that wait end one by one, and each wakes us: let those that are about to end do so first.
        if !self.turned && waits && self.conn.calls() > 1 {
            self.turned = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.turned = false;
        self.handed = 0;
        let accepted = self.accepted;
        let mut frames = 0;
        let (mut busy, mut flushed);
        loop {
            // A peer that does not read its answers gets no more of them.
            let batch = if self.writer.is_busy() && !self.conn.hub.outbox.has_room() {
                Batch::Crowded
            } else {
                self.poll_batch(cx)
            };
            if matches!(batch, Batch::Closed) {
                return Poll::Ready(());
            }
            let goes_on = matches!(batch, Batch::More);
            // Before what waits is written: a call that is not counted any more has its answer in there.
            busy = self.conn.calls() > 0;
            flushed = match self.flush(!goes_on, cx) {
                Ok(flushed) => flushed,
                Err(()) => return Poll::Ready(()),
            };
            match batch {
                Batch::More => frames += self.pace.frames(),
                // It does again: without another look, nobody would tell of what came meanwhile.
                Batch::Crowded if flushed || self.conn.hub.outbox.has_room() => {}
                _ => break,
            }
            if frames >= TURN_CALLS || self.handed >= TURN_WAITING {
                // What was handed over has had its turn when this task has the next one.
                self.turned = true;
                cx.waker().wake_by_ref();
                break;
            }
        }
        let written = self.writer.written;
        if !flushed && self.stalled.is_none_or(|(_, before)| before != written) {
            self.stalled = Some((Instant::now(), written));
        }
        if self.is_final && !busy && flushed {
            return Poll::Ready(());
        }
        self.lifetime
            .set_busy(busy, self.accepted > accepted, Instant::now);
        self.lifetime.heard(self.heard(), Instant::now);
        let stall = self
            .stalled
            .map(|(since, _)| since + self.conn.config.stall_timeout);
        self.timer.arm(
            [self.lifetime.next(), self.calls.earliest(), stall],
            &self.conn.alarm,
        );
        Poll::Pending
    }
}

impl<F, M> Future for Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        self.poll_connection(cx)
    }
}

impl<F, M> Drop for Connection<F, M> {
    fn drop(&mut self) {
        self.conn.hub.outbox.close();
        self.conn.hub.credits.end_all();
        self.calls.cancel_all(&self.conn.hub);
    }
}
