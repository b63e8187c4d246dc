//! The task of one connection: reads requests, runs their handlers, writes the answers.
//!
//! # One task
//! It drains what h2 has read, and runs each call once, on the spot. A call that must wait goes to the executor; it is
//! never awaited here, since a task that waits writes no answers, and with large messages both sides then wait for each
//! other. The answers are written in batches, but after every [`BATCH_CALLS`] or [`BATCH_TIME`] of work: a server that
//! writes only when all is done makes both sides take turns. After [`TURN_CALLS`] others get theirs, and after each batch of
//! which [`BATCH_WAITING`] calls wait: those that wait for little are answered before the next ones are read.
//!
//! # A first poll that takes long
//! A handler that computes before it first waits would hold up the answers behind it. A method whose first poll was seen
//! to take longer than [`SLOW`] several times is not run on the spot any more on this connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Poll, ready},
    time::Duration,
};

use h2::{Ping, PingPong, Reason, RecvStream, server::SendResponse};
use http::Request;
use rpc_core::{
    BoxFuture, Deadline, Method,
    transport::{Drain, DrainPhase, Io},
};
use tokio::time::{Instant, Sleep};

use super::{
    admit::admit,
    conn::{Conn, Ticket},
    exchange::Exchange,
    face::face_exchange,
    handshake::handshake,
    lifetime::{Due, Lifetime},
    police::{Activity, Observed, PingPolice, too_many_pings},
    runner::Runner,
    running::Running,
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
const BATCH_TIME: Duration = Duration::from_micros(25);

/// How many calls are run before other tasks get their turn.
const TURN_CALLS: usize = 128;

/// How long the first poll of a handler may take.
const SLOW: Duration = Duration::from_micros(50);

/// How many first polls that were too long, less those that were not, turn a method's off.
const SLOW_STRIKES: u8 = 4;

/// How many methods are remembered as slow.
const SLOW_METHODS: usize = 64;

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

/// What a call is run with.
pub(super) struct Work {
    respond: SendResponse<Data>,
    request: WorkRequest,
    /// Last, so that the call counts until all else is dropped.
    ticket: Ticket,
}

#[allow(
    clippy::large_enum_variant,
    reason = "the large one is the usual one, and a box is what it must not cost"
)]
enum WorkRequest {
    Call(Exchange),
    /// It passes the HTTP layers first.
    Face(Option<Box<Request<RecvStream>>>),
}

/// Answers a call. What it takes out of `work`, it takes by reference: there would be room for both otherwise.
#[allow(clippy::manual_async_fn, reason = "that one has room for its arguments twice")]
fn work(mut work: Work) -> impl Future<Output = ()> + Send {
    async move {
        let Work {
            respond,
            request,
            ticket,
        } = &mut work;
        match request {
            WorkRequest::Call(exchange) => exchange.run(ticket, respond).await,
            WorkRequest::Face(request) => {
                if let Some(request) = request.take() {
                    Box::pin(face_exchange(ticket, *request, respond)).await;
                }
            }
        }
    }
}

/// The task. `F` is the future of a call, which has no name, made by `M`.
struct Connection<F, M> {
    h2: H2,
    flusher: Flusher<ServerIo>,
    activity: Arc<Activity>,
    conn: Arc<Conn>,
    make: M,
    runner: Runner<F>,
    running: Running,
    /// How many calls came in this turn, or the last one.
    accepted: usize,
    /// How many of them were handed to the runtime.
    handed: usize,
    turn: Turn,
    slow: Vec<(Method, u8)>,
    timer: Option<Pin<Box<Sleep>>>,
    /// When the timer is to fire.
    armed: Option<Instant>,
    lifetime: Lifetime,
    police: Option<PingPolice>,
    /// Made for the first ping.
    pings: Option<PingPong>,
    /// The phase that is waited for, and how.
    drain: Option<(DrainPhase, BoxFuture<'static, Drain>)>,
    is_draining: bool,
    refuses: bool,
}

/// How a batch ended.
enum Batch {
    /// There may be more.
    More,
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
            slow: Vec::new(),
            timer: None,
            armed: None,
            lifetime: Lifetime::new(&**config, Instant::now()),
            police,
            pings: None,
            drain: Some(wait_for(drain, DrainPhase::Draining)),
            is_draining: false,
            refuses: false,
            conn,
        }
    }

    /// Reads requests and runs them.
    fn poll_batch(&mut self, cx: &mut Poller<'_>) -> Batch {
        let started = Instant::now();
        for _ in 0..BATCH_CALLS {
            match self.h2.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.accepted += 1;
                    let now = Instant::now();
                    self.accept(request, respond, now);
                    if now - started > BATCH_TIME {
                        return Batch::More;
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

    fn accept(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Data>, now: Instant) {
        if self.refuses {
            // Proves that nothing was begun.
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        if self.conn.face.is_some() {
            // The deadline is the inner side's: the HTTP layers come before gRPC is looked at.
            let work = Work {
                respond,
                request: WorkRequest::Face(Some(Box::new(request))),
                ticket: Ticket::new(&self.conn),
            };
            self.run(work, None, None, true);
            return;
        }
        let (head, body) = request.into_parts();
        match admit(&self.conn, head, now) {
            Err(refusal) => refusal.send(&mut respond),
            Ok(admitted) => {
                let method = admitted.head.method().clone();
                let (deadline, is_stream) = (admitted.head.deadline(), admitted.head.is_stream());
                let work = Work {
                    respond,
                    request: WorkRequest::Call(Exchange::new(admitted, body)),
                    ticket: Ticket::new(&self.conn),
                };
                self.run(work, Some((method, now)), deadline, is_stream);
            }
        }
    }

    fn run(
        &mut self,
        work: Work,
        method: Option<(Method, Instant)>,
        deadline: Option<Deadline>,
        is_stream: bool,
    ) {
        let future = (self.make)(work);
        if let Some(executor) = self.conn.config.executor.clone() {
            let watch = self.running.add(deadline, is_stream);
            executor.execute(self.runner.place(future).watched(watch));
            return;
        }
        let waits = match &method {
            Some((method, _)) if self.is_slow(method) => Some(self.runner.place(future)),
            _ => {
                let waits = self.runner.run(future);
                if let Some((method, started)) = method {
                    self.judge(&method, started.elapsed());
                }
                waits
            }
        };
        if let Some(call) = waits {
            self.handed += 1;
            tokio::spawn(call.watched(self.running.add(deadline, is_stream)));
        }
    }

    fn is_slow(&self, method: &Method) -> bool {
        self.slow
            .iter()
            .any(|(slow, strikes)| is_same(slow, method) && *strikes >= SLOW_STRIKES)
    }

    /// Remembers how long the first poll of a method took.
    fn judge(&mut self, method: &Method, took: Duration) {
        if took <= SLOW && self.slow.is_empty() {
            return;
        }
        match self.slow.iter().position(|(slow, _)| is_same(slow, method)) {
            Some(at) if took > SLOW => self.slow[at].1 += 1,
            Some(at) if self.slow[at].1 > 1 => self.slow[at].1 -= 1,
            Some(at) => drop(self.slow.swap_remove(at)),
            None if took > SLOW && self.slow.len() < SLOW_METHODS => self.slow.push((method.clone(), 1)),
            None => {}
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
            Due::Trim => self.flusher.trim(),
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

    /// Breaks everything off. What can be said of it at once is said.
    fn close(&mut self, cx: &mut Poller<'_>) {
        self.h2.abrupt_shutdown(Reason::NO_ERROR);
        let _ = self.h2.poll_closed(cx);
        let _ = self.flusher.poll_flush(cx);
    }

    /// Sets the timer to what comes first.
    fn arm(&mut self) {
        let next = [self.lifetime.next(), self.running.earliest()]
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
            self.conn.alarm.waker().wake_by_ref();
        }
    }

    fn is_pinged_too_often(&mut self, busy: bool) -> bool {
        let activity = &self.activity;
        self.police
            .as_mut()
            .is_some_and(|police| police.is_excessive(activity, Instant::now, busy))
    }

    /// Takes note of an answer to a ping, so that another can be sent.
    fn poll_pong(&mut self, cx: &mut Poller<'_>) {
        if let Some(pings) = &mut self.pings {
            let _ = pings.poll_pong(cx);
        }
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
        let mut calls = 0;
        // Calls that are done on the spot show only in what the last turn brought.
        let others = this.accepted > 1 || this.conn.calls() > 1;
        this.flusher.begin_turn(others);
        (this.accepted, this.handed) = (0, 0);
        loop {
            let batch = this.poll_batch(cx);
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
            }
            if calls >= TURN_CALLS || this.handed >= BATCH_WAITING {
                // Behind those that were handed over, so that their answers are there.
                this.turn.go_back(cx);
                break;
            }
        }
        let busy = this.conn.calls() > 0;
        if this.is_pinged_too_often(busy) {
            tracing::debug!(peer = ?this.conn.caller.peer(), "a connection is closed: its client pings too often");
            this.flusher.append(&too_many_pings(this.activity.last_stream()));
            let _ = this.flusher.poll_flush(cx);
            return Poll::Ready(());
        }
        if this.refuses && !busy && !this.h2.has_streams() {
            // The peer never answered the first GOAWAY, so h2 still waits; but nothing is left to wait for.
            this.close(cx);
            return Poll::Ready(());
        }
        this.lifetime.set_busy(busy, Instant::now);
        this.lifetime.heard(this.flusher.reads(), Instant::now);
        this.poll_pong(cx);
        this.arm();
        Poll::Pending
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

/// Methods of generated services are statics, and the same if they are at the same place; others are not remembered.
fn is_same(one: &Method, other: &Method) -> bool {
    matches!((one, other), (Method::Static(one), Method::Static(other)) if std::ptr::eq(*one, *other))
}
