//! The in-process transport: typed hand-over.
//!
//! A call goes from the client's pipeline straight into the server's, values and streams as they are, nothing encoded but what
//! layers get of a method that the server does not know.
//! The rules are those of the wire: the handler runs in its own context with the same deadline, lane, baggage and trace;
//! its panic is INTERNAL; dropping the call drops the handler; a request stream whose call is over ends with an error;
//! facts of the hop below stay below, and so do the extensions of either side.
//!
//! The handler runs inside the caller's task. Spawning it was rejected: it would cost an allocation and a wake-up a call,
//! and a caller that wants parallelism can spawn itself.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::watch;

use super::{Link, LinkState, Transport};
use crate::{
    Call, CallFuture, Deadline, Extensions, Reply, Stage, Status,
    context::{Caller, until},
    message::Tie,
    net::Address,
    server::Dispatch,
    status::{Side, reason},
};

/// Who calls, as all handlers in this process see it.
static CALLER: Caller = Caller::new("local");

/// Calls a server in this process.
#[derive(Clone)]
pub struct LocalTransport {
    dispatch: Dispatch,
}

impl LocalTransport {
    /// To the services behind a dispatch.
    pub fn new(dispatch: Dispatch) -> Self {
        Self { dispatch }
    }
}

impl Stage for LocalTransport {
    /// What the server does not take of the call, because it refuses it, stays there for another attempt. Layers take what they
    /// pass on; of a method that the server does not know they get a copy, unless it is a stream.
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let deadline = call.own_deadline();
        let lent_until = call.context.deadline();
        // What a user writes into the metadata wins, as it does where the context travels as metadata.
        let mut context = call.context.child();
        context.take_on(&call.metadata);
        context.set_static_caller(&CALLER);
        let mut lent = self.dispatch.lend(call, context);
        let arrived = lent.call();
        let tie = arrived
            .body
            .is_arriving()
            .then(|| Tie::new(arrived.context.cancellation()));
        arrived.tie.clone_from(&tie);
        let mut tied = Tied(tie);

        let mut result = {
            // Where it is: it is large, and would be copied wherever it is passed on to.
            let mut answer = pin!(self.dispatch.answer(arrived));
            let answer = async {
                let mut result = answer.as_mut().await;
                if let Err(status) = &mut result
                    && !is_at_deadline(status, lent_until)
                {
                    status.set_side(Side::Server);
                }
                result
            };
            match &tied.0 {
                None if deadline.is_none() => answer.await,
                // Boxed, as the rare cases: streams are few, and a client's pipeline keeps the deadline itself.
                None => Box::pin(until(deadline, answer)).await,
                Some(tie) => Box::pin(until(deadline, tie.run(answer))).await,
            }
        };
        drop(lent);

        // Where it is: replies are large as well.
        match &mut result {
            Ok(reply) => {
                reply.extensions = Extensions::new();
                if tied.0.is_some() && reply.body.is_arriving() {
                    // The rest of the call: the reply's reader ends it.
                    reply.tie = tied.0.take();
                }
            }
            // What is not the server's is the deadline that passed here, or the caller's own stream.
            Err(status) => status.set_side(Side::Client),
        }
        result
    }
}

/// True if it is the caller's deadline that passed: layers of the server look at the same clock, and are polled first.
fn is_at_deadline(status: &Status, deadline: Option<Deadline>) -> bool {
    status.is_waited_for() && deadline.is_some_and(Deadline::has_passed)
}

/// Ends what ties a request stream to its call together with the call, also where that is dropped before there is a reply.
struct Tied(Option<Tie>);

impl Drop for Tied {
    fn drop(&mut self) {
        if let Some(tie) = &self.0 {
            tie.end();
        }
    }
}

impl Transport for LocalTransport {
    fn protocol(&self) -> &'static str {
        "local"
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        let (state, _) = watch::channel(LinkState::Ready);
        let is_closed = AtomicBool::new(false);
        Arc::new(LocalLink {
            transport: self.clone(),
            address: address.clone(),
            is_closed,
            state,
        })
    }
}

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalTransport").field(&self.dispatch).finish()
    }
}

/// There is no connection: it is ready until it is closed, and what is under way then needs nothing of it.
struct LocalLink {
    transport: LocalTransport,
    address: Address,
    /// Beside the state, whose lock no call should take.
    is_closed: AtomicBool,
    state: watch::Sender<LinkState>,
}

impl Link for LocalLink {
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
        if self.is_closed.load(Ordering::Relaxed) {
            let status = Status::unavailable("the link was closed")
                .with_reason(reason::CHANNEL_CLOSED)
                .with_domain(reason::DOMAIN)
                .at_side(Side::Client)
                .not_processed();
            return CallFuture::ready(Err(status));
        }
        CallFuture::new(self.transport.call(call))
    }

    fn address(&self) -> &Address {
        &self.address
    }

    fn in_process(&self) -> Option<&LocalTransport> {
        (!self.is_closed.load(Ordering::Relaxed)).then_some(&self.transport)
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn connect(&self) {}

    fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.state.send_replace(LinkState::Closed);
    }
}
