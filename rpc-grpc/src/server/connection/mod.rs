//! The task of one connection: reads requests, runs their handlers, writes the answers.
//!
//! # One task
//! It drains what h2 has read, and runs each call once, on the spot. A call that must wait goes to the executor; it is
//! never awaited here, since a task that waits writes no answers, and with large messages both sides then wait for each
//! other. The answers are written in batches, but after every [`BATCH_CALLS`] or [`BATCH_TIME`] of work: a server that
//! writes only when all is done makes both sides take turns. After [`TURN_CALLS`] others get theirs, and as soon as
//! [`BATCH_WAITING`] calls of a batch wait: those that wait for little are answered before the next ones are read.

mod alarm;
mod run;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll, ready},
    time::Duration,
};

use h2::PingPong;
use rpc_core::transport::{
    Drain, DrainPhase, Io,
    connection::{Attention, Runner, Stop, Timer},
};
use tokio::time::Instant;

use self::{
    alarm::Closing,
    run::{SlowMethods, Work, work},
};
use super::{
    conn::Conn,
    handshake::handshake,
    lifetime::Lifetime,
    police::{Activity, Observed, PingPolice},
    running::{Running, Watch},
};
use crate::{
    io::{Flusher, Gather, Turn, gather},
    wire::frame::Data,
};

/// How many calls are run before what they answered is written.
const BATCH_CALLS: usize = 16;

/// How many calls of a batch that wait have theirs run before the next batch.
const BATCH_WAITING: usize = BATCH_CALLS / 4;

/// How long calls are run before what they answered is written.
///
/// Each write costs both sides some microseconds of the kernel's, and wakes a client that then has little to do: where a call
/// takes 5 us, as on a virtual machine, writing after 25 us took two workers a seventh more CPU for each call.
const BATCH_TIME: Duration = Duration::from_micros(100);

/// How many calls are run before other tasks get their turn. Those of a batch whose time was up count twice.
const TURN_CALLS: usize = 128;

pub(super) type ServerIo = Observed<Box<dyn Io>>;
pub(super) type H2 = h2::server::Connection<Gather<ServerIo>, Data>;

/// Serves a connection to its end.
pub(super) async fn serve(io: Box<dyn Io>, conn: Arc<Conn>, mut drain: Drain) {
    let (observed, activity) = Observed::new(io);
    let (io, flusher) = gather(observed);
    let handshake = handshake(io, &flusher, &conn);
    let h2 = tokio::select! {
        biased;
        // Nothing has been asked yet, so nothing is lost. Waiting would let a silent peer hold up the stop.
        () = drain.reached(DrainPhase::Draining) => return,
        h2 = tokio::time::timeout(conn.config.handshake_timeout, handshake) => h2,
    };
    let h2 = match h2 {
        Ok(Ok(h2)) => h2,
        Ok(Err(error)) => {
            tracing::debug!(peer = ?conn.caller.peer(), %error, "a peer does not speak HTTP/2");
            return;
        }
        Err(_) => {
            tracing::debug!(peer = ?conn.caller.peer(), "a peer did not begin to speak HTTP/2 in time");
            return;
        }
    };
    Connection::new(h2, flusher, activity, conn, drain, work).await;
}

/// The task. `F` is the future of a call, which has no name, made by `M`.
struct Connection<F, M> {
    h2: H2,
    flusher: Flusher<ServerIo>,
    activity: Arc<Activity>,
    conn: Arc<Conn>,
    make: M,
    runner: Runner<F, Watch>,
    running: Running,
    /// How many calls came in this turn, or the last one.
    accepted: usize,
    /// How many of them were handed to the runtime.
    handed: usize,
    turn: Turn,
    /// What h2 wakes: each answer would have it wake the task that is about to write it.
    attention: Attention,
    slow: SlowMethods,
    timer: Timer,
    lifetime: Lifetime,
    police: Option<PingPolice>,
    /// Made for the first ping.
    pings: Option<PingPong>,
    stop: Stop,
    is_draining: bool,
    refuses: bool,
    /// It is there only until the peer has taken what it was sent.
    closing: Option<Closing>,
}

/// How a batch ended.
enum Batch {
    /// There may be more.
    More,
    /// There may be more, and its time was up.
    Late,
    /// There is no more now.
    Drained,
    /// The connection is over.
    Closed,
}

impl<F, M> Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F,
{
    fn new(
        h2: H2,
        flusher: Flusher<ServerIo>,
        activity: Arc<Activity>,
        conn: Arc<Conn>,
        drain: Drain,
        make: M,
    ) -> Self {
        let config = &conn.config;
        let police = config
            .min_ping_interval
            .map(|least| PingPolice::new(least, config.permit_ping_without_calls));
        Self {
            h2,
            flusher,
            activity,
            make,
            runner: Runner::new(),
            running: Running::default(),
            accepted: 0,
            handed: 0,
            turn: Turn::default(),
            attention: Attention::new(),
            slow: SlowMethods::default(),
            timer: Timer::default(),
            lifetime: Lifetime::new(&**config, Instant::now()),
            police,
            pings: None,
            stop: Stop::new(drain),
            is_draining: false,
            refuses: false,
            closing: None,
            conn,
        }
    }

    /// Reads requests and runs them.
    fn poll_batch(&mut self) -> Batch {
        let started = Instant::now();
        for _ in 0..BATCH_CALLS {
            self.attention.look();
            match self
                .h2
                .poll_accept(&mut Poller::from_waker(self.attention.waker()))
            {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.accepted += 1;
                    let now = Instant::now();
                    self.accept(request, respond, now);
                    if self.handed >= BATCH_WAITING {
                        return Batch::More;
                    }
                    if now - started > BATCH_TIME {
                        return Batch::Late;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    tracing::debug!(peer = ?self.conn.caller.peer(), %error, "a connection broke off");
                    return Batch::Closed;
                }
                Poll::Ready(None) => return Batch::Closed,
                Poll::Pending => return Batch::Drained,
            }
        }
        Batch::More
    }
}

impl<F, M> Future for Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F + Unpin,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        let this = &mut *self;
        this.conn.alarm.register(cx.waker());
        if this.conn.alarm.take() && this.poll_alarm(cx).is_ready() {
            return Poll::Ready(());
        }
        // Calls that wait end one by one, and each wakes us: let those that are about to end do so first.
        ready!(this.turn.poll(cx, this.conn.calls() > 1));
        this.attention.begin(cx);
        let mut calls = 0;
        // Calls that are done on the spot show only in what the last turn brought.
        let others = this.accepted > 1 || this.conn.calls() > 1;
        this.flusher.begin_turn(others);
        (this.accepted, this.handed) = (0, 0);
        loop {
            let batch = this.poll_batch();
            if let Poll::Ready(Err(_)) = this.flusher.poll_flush(cx) {
                return Poll::Ready(());
            }
            match batch {
                Batch::Closed => return Poll::Ready(()),
                Batch::Drained if this.flusher.is_paused() => {
                    this.turn.go_back(cx);
                    break;
                }
                Batch::Drained => break,
                Batch::More => calls += BATCH_CALLS,
                Batch::Late => calls += 2 * BATCH_CALLS,
            }
            if calls >= TURN_CALLS || this.handed >= BATCH_WAITING {
                // Behind those that were handed over, so that their answers are there.
                this.turn.go_back(cx);
                break;
            }
        }
        let busy = this.conn.calls() > 0;
        if this.is_pinged_too_often(cx, busy) {
            return Poll::Ready(());
        }
        if this.refuses && !busy && !this.h2.has_streams() {
            // The peer never answered the first GOAWAY, so h2 still waits; but it is only to take what it was sent.
            if this.poll_close(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        this.lifetime.set_busy(busy, this.accepted > 0, Instant::now);
        this.lifetime.heard(this.flusher.reads(), Instant::now);
        this.poll_pong();
        let patience = this.closing.as_ref().map(|closing| closing.until);
        let clocks = [this.lifetime.next(), this.running.earliest(), patience];
        this.timer.arm(clocks, &this.conn.alarm);
        this.attention.end(cx);
        Poll::Pending
    }
}
