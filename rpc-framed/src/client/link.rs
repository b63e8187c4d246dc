//! The way of a call over a link.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwap;
use rpc_core::{
    BoxFuture, Call, CallFuture, Reply, Status,
    context::until,
    net::Address,
    status::{Side, reason},
    transport::{Link, LinkState, Transport},
};
use tokio::sync::{Notify, watch};

use super::{
    ClientConfig, Connect,
    connection::Connection,
    exchange::{Again, Failed, attempt},
    supervisor::Machine,
};

/// How often a call is sent again at once because the server did not take it: servers that close their connections one
/// after the other, as all do in a rolling restart, take it on the third.
const MAX_NOT_TAKEN: u32 = 3;

/// A connection, or the link of another transport that has to do.
type Way = Result<Arc<Connection>, Arc<dyn Link>>;

/// The connections to one address.
pub(super) struct FramedLink(Arc<Shared>);

/// What a link, its supervisor and its connections share.
pub(super) struct Shared {
    pub(super) address: Address,
    pub(super) config: Arc<ClientConfig>,
    pub(super) connector: Arc<dyn Connect>,
    /// What new calls choose from. Replaced as a whole; some of it may take no calls any more.
    pub(super) connections: ArcSwap<Vec<Arc<Connection>>>,
    pub(super) state: watch::Sender<LinkState>,
    pub(super) machine: Machine,
    /// Something changed that the supervisor has to look at.
    pub(super) changed: Arc<Notify>,
    /// What to call over if the server does not speak this protocol.
    pub(super) fallback: Option<Arc<dyn Transport>>,
    /// It does not.
    pub(super) other: OnceLock<Arc<dyn Link>>,
}

impl FramedLink {
    pub(super) fn new(
        address: Address,
        config: Arc<ClientConfig>,
        connector: Arc<dyn Connect>,
        fallback: Option<Arc<dyn Transport>>,
    ) -> Self {
        Self(Arc::new(Shared {
            address,
            config,
            connector,
            connections: ArcSwap::default(),
            state: watch::Sender::new(LinkState::Idle),
            machine: Machine::default(),
            changed: Arc::default(),
            fallback,
            other: OnceLock::new(),
        }))
    }

    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let shared = &*self.0;
        let mut not_taken = 0;
        loop {
            let connection = match shared.pick() {
                Some(connection) => connection,
                None => match self.connection(call).await? {
                    Ok(connection) => connection,
                    // Boxed, as the rare case: it would make every call's future larger.
                    Err(other) => return Box::pin(async move { other.call(call).await }).await,
                },
            };
            let Failed { status, again } = match attempt(&connection, &shared.config, call).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            match again {
                Again::No => return Err(status),
                Again::NotTaken if not_taken == MAX_NOT_TAKEN => return Err(status),
                Again::NotTaken => not_taken += 1,
                Again::NotSent => {}
            }
            tracing::debug!(path = call.method.path(), %status, "a call that was not begun is sent again");
            // Whatever happened, others get their turn before this call tries again.
            tokio::task::yield_now().await;
        }
    }

    /// Waits for a connection until the call's deadline, or finds that another transport has to do.
    #[cold]
    fn connection<'a>(&'a self, call: &Call<'_>) -> BoxFuture<'a, Result<Way, Status>> {
        let patient = call.options.wait_for_ready == Some(true);
        let deadline = call.context.deadline();
        Box::pin(async move {
            let waited = until(deadline, self.wait(patient)).await;
            waited.map_err(|status| self.0.place(status))
        })
    }

    async fn wait(&self, patient: bool) -> Result<Way, Status> {
        let mut state = self.0.state.subscribe();
        loop {
            let now = state.borrow_and_update().clone();
            if let Some(other) = self.0.other.get() {
                return Ok(Err(Arc::clone(other)));
            }
            match now {
                LinkState::Closed => return Err(self.0.closed()),
                LinkState::Failing(status) if !patient => {
                    Machine::want(&self.0)?;
                    return Err(status);
                }
                _ => Machine::want(&self.0)?,
            }
            if let Some(connection) = self.0.pick() {
                return Ok(Ok(connection));
            }
            if state.changed().await.is_err() {
                return Err(self.0.closed());
            }
        }
    }
}

impl Shared {
    /// The connection with the fewest calls of those that take some.
    fn pick(&self) -> Option<Arc<Connection>> {
        let connections = self.connections.load();
        match connections.as_slice() {
            [only] => only.takes_calls().then(|| Arc::clone(only)),
            several => several
                .iter()
                .filter(|connection| connection.takes_calls())
                .min_by_key(|connection| connection.calls())
                .cloned(),
        }
    }

    /// Says where a call was going that found no connection: it was not begun.
    fn place(&self, status: Status) -> Status {
        status
            .at_side(Side::Client)
            .at_addresses(None, Some(&self.address))
            .not_processed()
    }

    pub(super) fn closed(&self) -> Status {
        Status::unavailable("the link was closed")
            .with_reason(reason::CHANNEL_CLOSED)
            .with_domain(reason::DOMAIN)
            .at_side(Side::Client)
            .at_addresses(None, Some(&self.address))
            .not_processed()
    }
}

impl Link for FramedLink {
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
        // A ticket would save the box, but could not send again what a server that goes away did not take.
        CallFuture::new(self.call(call))
    }

    fn address(&self) -> &Address {
        &self.0.address
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.0.state.subscribe()
    }

    fn connect(&self) {
        if let Err(status) = Machine::want(&self.0) {
            tracing::debug!(address = %self.0.address, %status, "cannot connect now");
        }
    }

    fn close(&self) {
        Machine::close(&self.0);
    }
}

impl Drop for FramedLink {
    fn drop(&mut self) {
        Machine::abandon(&self.0);
    }
}

impl fmt::Debug for FramedLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("FramedLink")
            .field("address", &self.0.address)
            .field("state", &*state)
            .finish_non_exhaustive()
    }
}
