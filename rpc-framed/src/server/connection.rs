//! The task of one connection: reads requests, runs their handlers, writes the answers.
//!
//! # One task
//! It takes the frames that came and runs each call once, on the spot. A call that must wait goes to the executor; it is
//! never awaited here, since a task that waits writes no answers, and with large messages both sides then wait for each
//! other. What was answered is written after every [`BATCH_CALLS`] or [`BATCH_TIME`] of work: a server that writes only when
//! all is done makes both sides take turns. After [`TURN_CALLS`] others get theirs.
//!
//! # A first poll that takes long
//! A handler that computes before it first waits would hold up the answers behind it. A method whose first poll was seen to
//! take longer than [`SLOW`] several times is not run on the spot any more on this connection. The clock is read for the
//! first calls of a method, and for every eighth from then on.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Poller, Poll},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    BoxFuture, OwnedCall,
    context::Caller,
    server::Dispatch,
    transport::{Drain, DrainPhase, Io},
};
use tokio::time::{Instant, Sleep};

use super::{
    ServerConfig,
    accept::{Accepted, Numbers, accept},
    calls::Calls,
    conn::{Conn, Ticket},
    exchange::exchange,
    handshake::handshake,
    lifetime::{Due, Lifetime},
    police::Police,
    slot::{Runner, Watch},
};
use crate::{
    io::{Inbox, Writer},
    stream::Hub,
    wire::{Broken, CallId, Head, flag, goaway, kind, preface::Settings},
};

/// How many frames are taken, and for how long calls are run, before what they answered is written.
const BATCH_CALLS: usize = 24;
const BATCH_TIME: Duration = Duration::from_micros(25);

/// How many frames are taken before other tasks get their turn.
const TURN_CALLS: usize = 192;

/// How long the first poll of a handler may take.
const SLOW: Duration = Duration::from_micros(50);

/// How many first polls that were too long, less those that were not, turn a method's off.
const SLOW_STRIKES: u8 = 4;

/// The clock is read for so many calls of a method, and then for one of this many.
const ALWAYS_TIMED: u32 = 16;
const TIMED_OF: u32 = 8;

/// Less credit than this at once is hardly of use.
const LEAST_CREDIT: u32 = 256;

/// Serves a connection to its end.
pub(super) async fn serve(
    mut io: Box<dyn Io>,
    config: Arc<ServerConfig>,
    dispatch: Dispatch,
    caller: Arc<Caller>,
    mut drain: Drain,
) {
    let settings = config.settings();
    let handshake = tokio::time::timeout(config.handshake_timeout, handshake(&mut io, &settings));
    let (peer, inbox) = tokio::select! {
        biased;
        // Nothing has been asked yet, so nothing is lost. Waiting would let a silent peer hold up the stop.
        () = drain.reached(DrainPhase::Draining) => return,
        spoken = handshake => match spoken {
            Ok(Ok(spoken)) => spoken,
            Ok(Err(why)) => {
                tracing::debug!(peer = ?caller.peer(), why, "a peer does not speak the framed protocol");
                return;
            }
            Err(_) => {
                tracing::debug!(peer = ?caller.peer(), "a peer did not begin to speak in time");
                return;
            }
        },
    };
    let hub = Hub::new(&config.limits(), peer);
    let inbox = Inbox::new(inbox, config.frame_limit());
    let conn = Arc::new(Conn::new(config, dispatch, caller, hub));
    Connection::new(io, inbox, settings, conn, drain, work).await;
}

/// What a call is run with.
pub(super) struct Work {
    ticket: Ticket,
    id: CallId,
    call: OwnedCall,
}

fn work(work: Work) -> impl Future<Output = ()> + Send + 'static {
    exchange(work.ticket, work.id, work.call)
}

/// The task. `F` is the future of a call, which has no name, made by `M`.
struct Connection<F, M> {
    io: Mutex<Box<dyn Io>>,
    inbox: Inbox,
    writer: Writer,
    settings: Settings,
    conn: Arc<Conn>,
    make: M,
    runner: Runner<F>,
    calls: Calls,
    numbers: Numbers,
    /// How many requests came.
    accepted: u64,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the timer is to fire.
    armed: Option<Instant>,
    lifetime: Lifetime,
    police: Police,
    /// The phase that is waited for, and how.
    drain: Option<(DrainPhase, BoxFuture<'static, Drain>)>,
    is_draining: bool,
    /// The peer was told which request was the last.
    is_final: bool,
    /// It has gone to the back of the queue, so that others could answer.
    turned: bool,
    /// Since when the peer takes nothing of what waits, and how much it had taken by then.
    stalled: Option<(Instant, u64)>,
}

/// How a batch ended.
enum Batch {
    /// There may be more.
    More,
    /// There is no more now.
    Drained,
    /// Calls that were given up are yet to be dropped: no more until then.
    Full,
    /// The peer does not read what it was answered: no more until it does.
    Crowded,
    /// The connection is over.
    Closed,
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
            writer: Writer::default(),
            settings,
            make,
            runner: Runner::new(),
            calls: Calls::default(),
            numbers: Numbers::default(),
            accepted: 0,
            timer: None,
            armed: None,
            lifetime: Lifetime::new(&conn.config, now),
            police: Police::new(now),
            drain: Some(wait_for(drain, DrainPhase::Draining)),
            is_draining: false,
            is_final: false,
            turned: false,
            stalled: None,
            conn,
        }
    }

    /// Takes frames and runs calls.
    fn poll_batch(&mut self, cx: &mut Poller<'_>) -> Batch {
        let mut started = None;
        let mut frames = 0;
        loop {
            let head = match self.inbox.head() {
                Ok(Some(head)) => head,
                Ok(None) => {
                    let io = self.io.get_mut().unwrap_or_else(PoisonError::into_inner);
                    match self.inbox.poll_fill(io, cx) {
                        Poll::Ready(Ok(true)) => {
                            // What is there now came before now: no deadline is early for it.
                            started = None;
                            continue;
                        }
                        Poll::Ready(Ok(false)) => return Batch::Closed,
                        Poll::Ready(Err(error)) => {
                            tracing::debug!(peer = ?self.conn.caller.peer(), %error, "a connection broke off");
                            return Batch::Closed;
                        }
                        Poll::Pending => return Batch::Drained,
                    }
                }
                Err(broken) => return self.break_off(cx, broken),
            };
            let now = *started.get_or_insert_with(Instant::now);
            if head.kind == kind::REQUEST && !self.is_final && self.is_full() {
                return Batch::Full;
            }
            match self.take(head, now) {
                Ok(took) if took > BATCH_TIME => return Batch::More,
                Ok(_) => {}
                Err(broken) => return self.break_off(cx, broken),
            }
            frames += 1;
            if frames == BATCH_CALLS {
                return Batch::More;
            }
        }
    }

    /// True while twice as many calls as allowed are there, because many were given up and are yet to be dropped.
    fn is_full(&self) -> bool {
        let most = self.settings.max_calls as usize * 2;
        if self.conn.calls() < most {
            return false;
        }
        self.conn.await_fewer_than(most);
        self.conn.calls() >= most
    }

    /// Takes the next frame; answers how long that took, where it was measured.
    fn take(&mut self, head: Head, now: Instant) -> Result<Duration, Broken> {
        match head.kind {
            kind::REQUEST => return self.request(head, now),
            kind::CHUNK => {
                let piece = self.inbox.take(&head, usize::from(head.metadata));
                let Some(arrival) = self.calls.arrival(head.call).cloned() else {
                    self.police.idle(self.accepted)?;
                    return Ok(Duration::ZERO);
                };
                let (compressed, more) = (head.has(flag::COMPRESSED), head.has(flag::MORE));
                let pushed = arrival.push(piece, compressed, more, true)?;
                self.conn.hub.pushed(head.call, &arrival, &pushed);
                if head.has(flag::END) {
                    self.calls.close(head.call);
                    arrival.end(Ok(Bytes::new()));
                }
            }
            kind::END => {
                self.inbox.skip(&head);
                match self.calls.close(head.call) {
                    Some(arrival) => arrival.end(Ok(Bytes::new())),
                    None => self.police.idle(self.accepted)?,
                }
            }
            kind::CANCEL => {
                self.inbox.skip(&head);
                self.conn.hub.credits.end(head.call);
                if !self.calls.cancel(head.call) {
                    self.police.idle(self.accepted)?;
                }
            }
            kind::CREDIT => {
                let bytes = self.inbox.payload(&head).first_chunk::<4>();
                let bytes = bytes.ok_or(Broken("a CREDIT that says not how much"))?;
                let bytes = u32::from_le_bytes(*bytes);
                let is_of_use = self.conn.hub.credits.grant(head.call, bytes) && bytes >= LEAST_CREDIT;
                self.inbox.skip(&head);
                if !is_of_use {
                    self.police.idle(self.accepted)?;
                }
            }
            kind::PING => {
                self.police.ping(now)?;
                let payload = self.inbox.take(&head, 0);
                let payload = payload.slice(..payload.len().min(8));
                let pong = Head::new(kind::PONG, CallId::default());
                self.conn.hub.outbox.with(|queue| queue.frame(pong, payload));
            }
            kind::DRAIN => {
                self.inbox.skip(&head);
                self.police.idle(self.accepted)?;
                if self.is_draining {
                    self.say_goodbye();
                }
            }
            kind::PONG => {
                self.inbox.skip(&head);
                self.police.idle(self.accepted)?;
            }
            kind::GOAWAY => {
                let payload = self.inbox.take(&head, 0);
                let text = String::from_utf8_lossy(&payload[payload.len().min(10)..payload.len().min(256)])
                    .into_owned();
                tracing::debug!(peer = ?self.conn.caller.peer(), text, "the client closes the connection");
            }
            unknown if unknown >= kind::OPTIONAL => {
                self.inbox.skip(&head);
                self.police.idle(self.accepted)?;
            }
            _ => return Err(Broken("a frame of a kind that a client does not send")),
        }
        Ok(Duration::ZERO)
    }

    fn request(&mut self, head: Head, now: Instant) -> Result<Duration, Broken> {
        if self.is_final {
            // The peer knows that it was not taken.
            self.inbox.skip(&head);
            return Ok(Duration::ZERO);
        }
        if head.call.slot >= self.settings.max_calls {
            return Err(Broken("more calls at once than was allowed"));
        }
        self.accepted += 1;
        self.calls.renew(head.call);
        let accepted = accept(
            &self.conn,
            &mut self.numbers,
            &mut self.inbox,
            &head,
            now,
            self.settings.max_methods,
        )?;
        match accepted {
            Ok(accepted) => Ok(self.run(accepted, head)),
            Err(status) => {
                self.conn.fail(head.call, &status);
                Ok(Duration::ZERO)
            }
        }
    }

    fn run(&mut self, accepted: Accepted, head: Head) -> Duration {
        let Accepted {
            call,
            deadline,
            is_stream,
            arrival,
        } = accepted;
        let id = head.call;
        if let Some(arrival) = arrival {
            self.calls.expect(id, arrival);
        }
        let future = (self.make)(Work {
            ticket: Ticket::new(&self.conn),
            id,
            call,
        });
        let executor = self.conn.config.executor.clone();
        let (timed, is_slow) = match self.numbers.get(head.extra) {
            Some(known) => {
                known.runs = known.runs.wrapping_add(1);
                let timed = known.runs < ALWAYS_TIMED || known.runs.is_multiple_of(TIMED_OF);
                (timed, known.strikes >= SLOW_STRIKES)
            }
            None => (false, false),
        };
        let mut took = Duration::ZERO;
        let waits = if executor.is_some() || is_slow {
            Some(self.runner.place(future))
        } else if timed {
            let started = Instant::now();
            let waits = self.runner.run(future);
            took = started.elapsed();
            self.judge(head.extra, took);
            waits
        } else {
            self.runner.run(future)
        };
        if let Some(waits) = waits {
            let watch = Arc::new(Watch::new(deadline, is_stream));
            self.calls.watch(id, Arc::clone(&watch));
            let waits = waits.watched(watch, Arc::clone(&self.conn), id);
            match executor {
                Some(executor) => executor.execute(waits),
                None => drop(tokio::spawn(waits)),
            }
        }
        took
    }

    /// Remembers how long the first poll of a method took.
    fn judge(&mut self, number: u16, took: Duration) {
        if let Some(known) = self.numbers.get(number) {
            known.strikes = if took > SLOW {
                known.strikes.saturating_add(1)
            } else {
                known.strikes.saturating_sub(1)
            };
        }
    }

    /// Looks at the timer and at the server's stop. Ready if that ends the connection.
    fn poll_alarm(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        let waker = self.conn.alarm.waker().clone();
        let mut alarm = Poller::from_waker(&waker);
        if self
            .timer
            .as_mut()
            .is_some_and(|timer| timer.as_mut().poll(&mut alarm).is_ready())
        {
            self.armed = None;
            self.timer = None;
        }
        while let Some((phase, future)) = &mut self.drain {
            let Poll::Ready(drain) = future.as_mut().poll(&mut alarm) else {
                break;
            };
            // A server that is gone never says so.
            let reached = if drain.phase() < *phase {
                DrainPhase::Cancelling
            } else {
                drain.phase()
            };
            self.drain = match reached {
                DrainPhase::Serving | DrainPhase::Draining => {
                    Some(wait_for(drain, DrainPhase::EndingStreams))
                }
                DrainPhase::EndingStreams => Some(wait_for(drain, DrainPhase::Cancelling)),
                _ => None,
            };
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
            return self.close(cx, goaway::CALM, "the peer does not read");
        }
        match self.lifetime.due(now, self.inbox.reads) {
            Due::Nothing => {}
            Due::Trim => {
                self.inbox.trim();
                self.writer.trim(&self.conn.hub.outbox);
                if self.conn.calls() == 0 {
                    self.calls.trim();
                    self.runner.trim();
                }
            }
            Due::Drain => self.start_drain(),
            Due::Ping => self.conn.hub.outbox.with(|queue| {
                queue.small(Head::new(kind::PING, CallId::default()), &[0; 8]);
            }),
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
    fn say_goodbye(&mut self) {
        if !self.is_final {
            self.is_final = true;
            let accepted = self.accepted;
            self.conn
                .hub
                .outbox
                .with(|queue| queue.goaway(accepted, goaway::STOPPING, "the server stops"));
        }
    }

    fn break_off(&mut self, cx: &mut Poller<'_>, Broken(what): Broken) -> Batch {
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
        let _ = self.writer.poll_flush(&self.conn.hub.outbox, &self.io, cx);
        Poll::Ready(())
    }

    /// Sets the timer to what comes first.
    fn arm(&mut self) {
        let stall = self
            .stalled
            .map(|(since, _)| since + self.conn.config.stall_timeout);
        let next = [self.lifetime.next(), self.calls.earliest(), stall]
            .into_iter()
            .flatten()
            .min();
        let Some(next) = next.filter(|next| self.armed.is_none_or(|armed| *next < armed)) else {
            return;
        };
        self.armed = Some(next);
        let timer = match &mut self.timer {
            Some(timer) => {
                timer.as_mut().reset(next);
                timer
            }
            None => self.timer.insert(Box::pin(tokio::time::sleep_until(next))),
        };
        // Tells it whom to wake. Should it be due already, it is looked at in the next turn.
        if timer
            .as_mut()
            .poll(&mut Poller::from_waker(self.conn.alarm.waker()))
            .is_ready()
        {
            self.timer = None;
            self.armed = None;
            self.conn.alarm.ring();
        }
    }

    /// Writes what waits; true if all of it is out.
    fn flush(&mut self, cx: &mut Poller<'_>) -> Result<bool, ()> {
        match self.writer.poll_flush(&self.conn.hub.outbox, &self.io, cx) {
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

    fn poll_connection(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        self.conn.alarm.register(cx.waker());
        if self.conn.alarm.take() && self.poll_alarm(cx).is_ready() {
            return Poll::Ready(());
        }
        // Calls that wait end one by one, and each wakes us: let those that are about to end do so first.
        if !self.turned && self.conn.calls() > 1 && !self.conn.hub.outbox.lock().is_empty() {
            self.turned = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.turned = false;
        let mut frames = 0;
        let mut flushed;
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
            flushed = match self.flush(cx) {
                Ok(flushed) => flushed,
                Err(()) => return Poll::Ready(()),
            };
            match batch {
                Batch::More => frames += BATCH_CALLS,
                // It does again: without another look, nobody would tell of what came meanwhile.
                Batch::Crowded if flushed => {}
                _ => break,
            }
            if frames >= TURN_CALLS {
                cx.waker().wake_by_ref();
                break;
            }
        }
        let written = self.writer.written;
        if !flushed && self.stalled.is_none_or(|(_, before)| before != written) {
            self.stalled = Some((Instant::now(), written));
        }
        let busy = self.conn.calls() > 0;
        if self.is_final && !busy && flushed {
            return Poll::Ready(());
        }
        self.lifetime.set_busy(busy, Instant::now);
        self.lifetime.heard(self.inbox.reads, Instant::now);
        self.arm();
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
        self.calls.cancel_all();
    }
}

/// Waits for a phase of the stop.
fn wait_for(mut drain: Drain, phase: DrainPhase) -> (DrainPhase, BoxFuture<'static, Drain>) {
    let future = Box::pin(async move {
        drain.reached(phase).await;
        drain
    });
    (phase, future)
}
