//! Runs calls: on the spot, or by the executor.
//!
//! # A first poll that takes long
//! A handler that computes before it first waits would hold up the answers behind it. A method whose first poll was seen to
//! take longer than [`SLOW`] several times is not run on the spot any more on this connection. The clock is read for the
//! first calls of a method, and for every eighth from then on.

use std::{sync::Arc, time::Duration};

use rpc_core::transport::connection::First;
use tokio::time::Instant;

use super::Connection;
use crate::{
    server::{
        accept::{Accepted, Request, accept},
        conn::{Conn, Served, Ticket},
        exchange::exchange,
        watch::{Requests, Watch, Watched, panicked},
    },
    wire::{Broken, Head, flag},
};

/// How long the first poll of a handler may take.
const SLOW: Duration = Duration::from_micros(50);

/// How many first polls that were too long, less those that were not, turn a method's off.
const SLOW_STRIKES: u8 = 4;

/// The clock is read for so many calls of a method, and then for one of this many.
const ALWAYS_TIMED: u32 = 16;
const TIMED_OF: u32 = 8;

/// What a call is run with.
pub(super) struct Work {
    conn: Arc<Conn>,
    served: Served,
    request: Request,
}

pub(super) fn work(work: Work) -> impl Future<Output = ()> + Send + 'static {
    exchange(work.conn, work.served, work.request)
}

impl<F, M> Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F,
{
    pub(super) fn request(&mut self, head: Head, now: Instant) -> Result<Duration, Broken> {
        if self.is_final {
            // The peer knows that it was not taken.
            self.inbox.skip(&head);
            return Ok(Duration::ZERO);
        }
        if head.call.slot >= self.settings.max_calls {
            return Err(Broken("more calls at once than was allowed"));
        }
        self.accepted += 1;
        self.calls.renew(head.call, &self.conn.hub);
        let accepted = accept(
            &self.conn,
            &mut self.numbers,
            &mut self.inbox,
            &head,
            (self.read_at.unwrap_or(now), now),
            self.settings.max_methods,
        )?;
        match accepted {
            Ok(accepted) => Ok(self.run(accepted, head)),
            Err(status) => {
                self.conn.fail(self.served(head), &status);
                if !head.has(flag::END) {
                    // Its client may send all that it has credit for before it hears of that.
                    let arrival = self.conn.hub.arrival();
                    self.conn.hub.end(head.call, &arrival, Err(status));
                    self.calls.expect(head.call, arrival);
                }
                Ok(Duration::ZERO)
            }
        }
    }

    /// The call of the request that was taken last.
    fn served(&self, head: Head) -> Served {
        Served {
            id: head.call,
            number: self.accepted,
        }
    }

    fn run(&mut self, accepted: Accepted, head: Head) -> Duration {
        let Accepted {
            request,
            is_stream,
            arrival,
        } = accepted;
        let (served, deadline) = (self.served(head), request.deadline());
        let id = served.id;
        let requests = arrival.map(|arrival| {
            self.calls.expect(id, Arc::clone(&arrival));
            Requests::new(&self.conn.hub, id, arrival)
        });
        let work = Work {
            conn: Arc::clone(&self.conn),
            served,
            request,
        };
        let make = || (self.make)(work);
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
        let is_begun = executor.is_none() && !is_slow;
        let first = if !is_begun {
            First::Waits(self.runner.place(make))
        } else if timed {
            let started = Instant::now();
            let first = self.runner.run(make);
            took = started.elapsed();
            self.judge(head.extra, took);
            first
        } else {
            self.runner.run(make)
        };
        match first {
            First::Done => {}
            First::Panicked => self.conn.fail(served, &panicked()),
            First::Waits(waits) => {
                self.handed += 1;
                let watch = Arc::new(Watch::new(served.number, deadline, is_stream));
                self.calls.watch(id, Arc::clone(&watch));
                let unbegun = self.numbers.get(head.extra).filter(|_| !is_begun);
                let unbegun = unbegun.map(|known| known.method().clone());
                let ticket = Ticket::new(&self.conn);
                let waits = waits.watched(Watched::new(watch, served, ticket, unbegun, requests));
                match executor {
                    Some(executor) => executor.execute(Box::pin(waits)),
                    None => drop(tokio::spawn(waits)),
                }
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
}
