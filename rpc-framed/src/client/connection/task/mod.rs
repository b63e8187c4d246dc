//! The task of a connection: reads answers, writes requests, and looks after it.
//!
//! Answers are handed over as they are read; what the calls that this wakes send next is gathered while the task goes once
//! to the back of its runtime's queue, and goes out in one write.

mod take;

use std::{
    pin::Pin,
    sync::{Arc, PoisonError, atomic::Ordering::SeqCst},
    task::{Context as Poller, Poll, Waker},
};

use rpc_core::{
    Deadline,
    transport::{
        connection::Timer,
        supervise::{Activity, Due, Phase, Supervised as _, Timers},
    },
};
use tokio::time::Instant;

use super::{Answer, Connection};
use crate::{
    client::ClientConfig,
    io::{Inbox, Writer, try_use},
    wire::{Broken, CallId, Head, goaway, kind},
};

/// How many frames, and how many reads, are taken in before others get their turn.
const TURN_FRAMES: usize = 512;
const TURN_READS: usize = 8;

/// Drives a connection to its end. Dropped, it breaks the connection off.
#[must_use = "nothing is read or written unless it is polled"]
pub(crate) struct Task {
    connection: Arc<Connection>,
    inbox: Inbox,
    writer: Writer,
    timers: Timers,
    /// For the deadlines of calls.
    timer: Timer,
    /// It has gone to the back of the queue, so that others could append.
    turned: bool,
    /// Answers to pings that are yet to be written.
    pongs: usize,
    answered: bool,
}

/// The connection is over.
struct Over;

impl Task {
    pub(super) fn new(connection: Arc<Connection>, inbox: Inbox, config: &ClientConfig) -> Self {
        Self {
            connection,
            inbox,
            writer: Writer::default(),
            timers: Timers::new(&config.link, 0).polled_rarely(),
            timer: Timer::default(),
            turned: false,
            pongs: 0,
            answered: false,
        }
    }

    fn poll_task(&mut self, cx: &mut Poller<'_>) -> Poll<Over> {
        self.connection.alarm.register(cx.waker());
        // The calls that are woken here need not wake us.
        self.connection.hub.outbox.attend();
        if self.connection.alarm.take() && self.poll_alarm().is_ready() {
            return Poll::Ready(Over);
        }
        let again = match self.poll_read(cx) {
            Ok(again) => again,
            Err(Over) => return Poll::Ready(Over),
        };
        if !self.turned && !self.writer.is_busy() && self.connection.slab.taken() > 1 {
            let waits = !self.connection.hub.outbox.lock().is_empty();
            if waits || again {
                self.turned = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.turned = false;
        let hub = Arc::clone(&self.connection.hub);
        match self.writer.poll_flush(&hub.outbox, &self.connection.io, true, cx) {
            Poll::Ready(Ok(())) => self.pongs = 0,
            Poll::Ready(Err(error)) => return Poll::Ready(self.lost(format!("writing failed: {error}"))),
            Poll::Pending => {}
        }
        if again {
            cx.waker().wake_by_ref();
        } else if self.timers.heard(self.inbox.reads) {
            self.connection.alarm.ring();
        }
        if !self.connection.takes_calls() && !self.writer.is_busy() && self.is_unused() {
            return Poll::Ready(Over);
        }
        Poll::Pending
    }

    /// True if there is no call, and none is to come, on a connection that takes none any more.
    fn is_unused(&self) -> bool {
        let connection = &*self.connection;
        // Whoever took it to its phase may not have got so far yet, and a call that chose it before may come in between.
        connection.slab.is_unused_once(|| connection.hub.outbox.refuse())
    }

    /// Reads what there is, and hands it over. True if there may be more.
    fn poll_read(&mut self, cx: &mut Poller<'_>) -> Result<bool, Over> {
        let mut frames = 0;
        for _ in 0..TURN_READS {
            loop {
                match self.inbox.head() {
                    Ok(Some(head)) => self.take(head).map_err(|broken| self.break_off(broken))?,
                    Ok(None) => break,
                    Err(broken) => return Err(self.break_off(broken)),
                }
                frames += 1;
                if frames == TURN_FRAMES {
                    return Ok(true);
                }
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(true)) => {}
                Poll::Ready(Ok(false)) => return Err(self.lost("the peer closed it".to_owned())),
                Poll::Ready(Err(error)) => return Err(self.lost(format!("reading failed: {error}"))),
                Poll::Pending => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Reads once; false at the end of the stream. Pending as well while a call writes, which wakes us when it is done.
    fn poll_fill(&mut self, cx: &mut Poller<'_>) -> Poll<std::io::Result<bool>> {
        let connection = &*self.connection;
        let mut io = match try_use(&connection.io) {
            Some(io) => io,
            None if connection.hub.outbox.lock().awaits_alone(cx.waker()) => return Poll::Pending,
            // It has written, and is as good as gone.
            None => connection.io.lock().unwrap_or_else(PoisonError::into_inner),
        };
        self.inbox.poll_fill(&mut io, cx)
    }

    fn poll_alarm(&mut self) -> Poll<()> {
        let connection = Arc::clone(&self.connection);
        let waker = connection.alarm.waker().clone();
        let mut cx = Poller::from_waker(&waker);
        self.wake_late();
        loop {
            let requests = connection.hub.outbox.lock().requests;
            let activity = Activity {
                calls: connection.slab.taken() as usize,
                begun: requests,
                reads: self.inbox.reads,
            };
            self.note_use();
            let Poll::Ready(due) = self.timers.poll(&mut cx, activity) else {
                return Poll::Pending;
            };
            match due {
                Due::Old => connection.advance(Phase::Retiring),
                Due::Idle => connection.life.note_quiet(),
                Due::Ping => connection.hub.outbox.with(|queue| {
                    queue.small(Head::new(kind::PING, CallId::default()), &[0; 8]);
                }),
                Due::Dead => {
                    let Over = self.lost("no answer to a ping".to_owned());
                    return Poll::Ready(());
                }
                Due::Trim => {
                    self.inbox.trim();
                    self.writer.trim(&connection.hub.outbox);
                }
            }
        }
    }

    /// Says that a call was answered, if one was: before the phase changes, as the connection is then judged by it.
    fn note_use(&mut self) {
        if std::mem::take(&mut self.answered) {
            self.connection.of_use.store(true, SeqCst);
        }
    }

    /// Wakes the calls whose deadline has passed.
    fn wake_late(&mut self) {
        let connection = &*self.connection;
        self.timer.poll(&connection.alarm);
        let looks_at = || connection.hub.outbox.lock().looks_at.map(Deadline::instant);
        let Some(first) = looks_at() else { return };
        let now = Instant::now();
        if first <= now {
            // Before they are looked at: a call that comes meanwhile has itself looked at.
            connection.hub.outbox.lock().looks_at = None;
            connection.wake_late(now);
        }
        self.timer.arm([looks_at()], &connection.alarm);
    }

    /// The server breaks the protocol: it is told so, as far as that is possible at once.
    fn break_off(&mut self, Broken(what): Broken) -> Over {
        tracing::warn!(peer = ?self.connection.peer, what, "the server breaks the protocol");
        let hub = Arc::clone(&self.connection.hub);
        hub.outbox.with(|queue| queue.goaway(0, goaway::PROTOCOL, what));
        let _ = self.writer.poll_flush(
            &hub.outbox,
            &self.connection.io,
            true,
            &mut Poller::from_waker(Waker::noop()),
        );
        self.lost(format!("the peer broke the protocol: {what}"))
    }

    fn lost(&self, why: String) -> Over {
        if self.connection.takes_calls() || self.connection.slab.taken() > 0 {
            tracing::debug!(why, peer = ?self.connection.peer, "a connection was lost");
        }
        // Only the first reason is one.
        let _ = self.connection.loss.set(why);
        Over
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl Future for Task {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<()> {
        self.poll_task(cx).map(|Over| ())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.note_use();
        let connection = &*self.connection;
        let untouched_from = {
            let mut queue = connection.hub.outbox.lock();
            queue.refuses = true;
            self.writer.untouched_from(&queue, connection.fails_late)
        };
        connection.hub.outbox.close();
        connection.hub.credits.end_all();
        connection.advance(Phase::Closed);
        // Whoever still holds the connection does not hold the socket open.
        *connection.io.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(tokio::io::empty());
        for (slot, _) in connection.slab.all() {
            let mut waiting = connection.waiting(slot);
            if !waiting.busy || waiting.settled {
                continue;
            }
            waiting.settled = true;
            // One that is being answered was written, whatever the server read of it.
            let untouched = waiting.begins_at >= untouched_from && waiting.arrival.is_none();
            let status = connection.explain(connection.lost());
            let status = if untouched { status.not_processed() } else { status };
            let arrival = waiting.arrival.take();
            if arrival.is_none() {
                waiting.answer = Some(Answer::Lost(status.clone(), untouched));
            }
            let waker = waiting.waker.take();
            let generation = waiting.generation;
            drop(waiting);
            if let Some(arrival) = arrival {
                connection
                    .hub
                    .end(CallId { slot, generation }, &arrival, Err(status));
            }
            wake(waker);
        }
    }
}
