//! The in-process transport: typed hand-over.
//!
//! A call goes from the client's pipeline straight into the server's, values and streams as they are, nothing encoded.
//! The rules are those of the wire: the handler runs in its own context with the same deadline, lane, baggage and trace;
//! its panic is INTERNAL; dropping the call drops the handler; facts of the hop below stay below.
//!
//! The handler runs inside the caller's task. Spawning it was rejected: it would cost an allocation and a wake-up a call,
//! and a caller that wants parallelism can spawn itself.

use std::{fmt, sync::Arc};

use tokio::sync::watch;

use super::{Link, LinkState, Transport};
use crate::{
    BoxFuture, Call, Context, Reply, Stage, Status,
    context::{Caller, until},
    net::Address,
    server::Dispatch,
};

/// Calls a server in this process.
#[derive(Clone)]
pub struct LocalTransport {
    dispatch: Dispatch,
    caller: Arc<Caller>,
}

impl LocalTransport {
    /// To the services behind a dispatch.
    pub fn new(dispatch: Dispatch) -> Self {
        Self { dispatch, caller: Arc::new(Caller::new("local")) }
    }
}

impl Stage for LocalTransport {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let deadline = call.context.deadline();
        call.context = std::mem::take(&mut call.context).with_caller(Arc::clone(&self.caller));
        let result = until(deadline, self.dispatch.answer(call)).await;
        // The server took the context for its handler; what is left to the caller's layers is the bound.
        call.context = Context::new().with_deadline(deadline);
        result
    }
}

impl Transport for LocalTransport {
    fn protocol(&self) -> &'static str {
        "local"
    }

    fn link(&self, address: &Address) -> Arc<dyn Link> {
        let (state, _) = watch::channel(LinkState::Ready);
        Arc::new(LocalLink { transport: self.clone(), address: address.clone(), state })
    }
}

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalTransport").field(&self.dispatch).finish()
    }
}

struct LocalLink {
    transport: LocalTransport,
    address: Address,
    state: watch::Sender<LinkState>,
}

impl Link for LocalLink {
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> BoxFuture<'a, Result<Reply, Status>> {
        Box::pin(self.transport.call(call))
    }

    fn address(&self) -> &Address {
        &self.address
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn connect(&self) {}

    fn close(&self) {
        self.state.send_replace(LinkState::Closed);
    }
}
