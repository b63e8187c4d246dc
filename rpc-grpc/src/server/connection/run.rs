//! Runs calls: on the spot, or by the executor.
//!
//! # A first poll that takes long
//! A handler that computes before it first waits would hold up the answers behind it. A method whose first poll was seen
//! to take longer than [`SLOW`] several times is not run on the spot any more on this connection.

use std::time::Duration;

use h2::{Reason, RecvStream, server::SendResponse};
use http::Request;
use rpc_core::{Deadline, Method, transport::connection::First};
use tokio::time::Instant;

use super::Connection;
use crate::{
    server::{
        admit::{admit, deadline},
        conn::Ticket,
        exchange::Exchange,
        face::{FaceRequest, face_exchange},
    },
    wire::{frame::Data, names},
};

/// How long the first poll of a handler may take.
const SLOW: Duration = Duration::from_micros(50);

/// How many first polls that were too long, less those that were not, turn a method's off.
const SLOW_STRIKES: u8 = 4;

/// How many methods are remembered as slow.
const SLOW_METHODS: usize = 64;

/// The methods whose first polls were too long of late, and how often.
#[derive(Debug, Default)]
pub(super) struct SlowMethods(Vec<(Method, u8)>);

impl SlowMethods {
    fn contains(&self, method: &Method) -> bool {
        self.0
            .iter()
            .any(|(slow, strikes)| is_same(slow, method) && *strikes >= SLOW_STRIKES)
    }

    /// Remembers how long the first poll of a method took.
    fn judge(&mut self, method: &Method, took: Duration) {
        if took <= SLOW && self.0.is_empty() {
            return;
        }
        match self.0.iter().position(|(slow, _)| is_same(slow, method)) {
            Some(at) if took > SLOW => self.0[at].1 = self.0[at].1.saturating_add(1),
            Some(at) if self.0[at].1 > 1 => self.0[at].1 -= 1,
            Some(at) => drop(self.0.swap_remove(at)),
            None if took > SLOW && self.0.len() < SLOW_METHODS => self.0.push((method.clone(), 1)),
            None => {}
        }
    }
}

/// What a call is run with.
pub(super) struct Work {
    respond: SendResponse<Data>,
    request: WorkRequest,
    /// It is polled first by who it is handed to, and that may be late.
    waited: bool,
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
    Face(Option<Box<FaceRequest>>),
}

/// Answers a call. What it takes out of `work`, it takes by reference: there would be room for both otherwise.
#[allow(clippy::manual_async_fn, reason = "that one has room for its arguments twice")]
pub(super) fn work(mut work: Work) -> impl Future<Output = ()> + Send {
    async move {
        let Work {
            respond,
            request,
            waited,
            ticket,
        } = &mut work;
        match request {
            WorkRequest::Call(exchange) => exchange.run(ticket, *waited, respond).await,
            WorkRequest::Face(request) => {
                if let Some(request) = request.take() {
                    Box::pin(face_exchange(ticket, *request, *waited, respond)).await;
                }
            }
        }
    }
}

impl<F, M> Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F,
{
    pub(super) fn accept(
        &mut self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Data>,
        now: Instant,
    ) {
        if self.refuses || self.conn.is_full() {
            // Proves that nothing was begun.
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        if self.conn.face.is_some() {
            // What is wrong with it, the inner side says: the HTTP layers come before gRPC is looked at.
            let deadline = deadline(request.headers().get(names::TIMEOUT), now).unwrap_or_default();
            let work = Work {
                respond,
                request: WorkRequest::Face(Some(Box::new(FaceRequest {
                    request,
                    arrived: now,
                    deadline,
                }))),
                waited: false,
                ticket: Ticket::new(&self.conn),
            };
            self.run(work, None, deadline, true);
            return;
        }
        let (head, body) = request.into_parts();
        match admit(&self.conn, head, now, now) {
            Err(refusal) => refusal.send(&mut respond),
            Ok(admitted) => {
                let method = admitted.head.method().clone();
                let (deadline, is_stream) = (admitted.head.deadline(), admitted.head.is_stream());
                let work = Work {
                    respond,
                    request: WorkRequest::Call(Exchange::new(admitted, body, &self.conn.config)),
                    waited: false,
                    ticket: Ticket::new(&self.conn),
                };
                self.run(work, Some((method, now)), deadline, is_stream);
            }
        }
    }

    fn run(
        &mut self,
        mut work: Work,
        method: Option<(Method, Instant)>,
        deadline: Option<Deadline>,
        is_stream: bool,
    ) {
        let executor = self.conn.config.executor.clone();
        let is_slow = |(method, _): &(Method, Instant)| self.slow.contains(method);
        work.waited = executor.is_some() || method.as_ref().is_some_and(is_slow);
        let waited = work.waited;
        let make = || (self.make)(work);
        if let Some(executor) = executor {
            let watch = self.running.add(deadline, is_stream);
            executor.execute(Box::pin(self.runner.place(make).watched(watch)));
            return;
        }
        let waits = match method {
            _ if waited => self.runner.place(make),
            method => {
                let first = self.runner.run(make);
                if let Some((method, started)) = method {
                    self.slow.judge(&method, started.elapsed());
                }
                // One that panicked resets its stream: h2 does so when it is dropped.
                let First::Waits(waits) = first else { return };
                waits
            }
        };
        self.handed += 1;
        tokio::spawn(waits.watched(self.running.add(deadline, is_stream)));
    }
}

/// Methods of generated services are statics, and the same if they are at the same place; others are not remembered.
fn is_same(one: &Method, other: &Method) -> bool {
    matches!((one, other), (Method::Static(one), Method::Static(other)) if std::ptr::eq(*one, *other))
}
