//! The way of a call over a link.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use rpc_core::{
    Call, CallFuture, Reply, Status,
    context::until,
    net::Address,
    status::{Side, reason},
    transport::{Link, LinkState},
};
use tokio::sync::{Notify, watch};

use super::{
    ClientConfig, Connect,
    connection::Connection,
    exchange::{Again, Failed, HeadTemplate, attempt},
    supervisor::Machine,
};

/// How often a call is sent again at once because the server did not take it. A server that refuses a stream may take the
/// next; one that closes its connections one after the other, as all do in a rolling restart, takes it on the third.
const MAX_REFUSED: u32 = 1;
const MAX_CLOSED: u32 = 3;

/// The connections to one address.
pub(super) struct GrpcLink(Arc<Shared>);

/// What a link, its supervisor and its connections share.
pub(super) struct Shared {
    pub(super) address: Address,
    pub(super) head: HeadTemplate,
    pub(super) config: Arc<ClientConfig>,
    pub(super) connector: Arc<dyn Connect>,
    /// What new calls choose from. Replaced as a whole; some of it may take no calls any more.
    pub(super) connections: ArcSwap<Vec<Arc<Connection>>>,
    pub(super) state: watch::Sender<LinkState>,
    pub(super) machine: Machine,
    /// Something changed that the supervisor has to look at.
    pub(super) changed: Arc<Notify>,
    /// How often the server complained of too many pings.
    pub(super) complaints: AtomicU32,
}

impl GrpcLink {
    pub(super) fn new(
        address: Address,
        head: HeadTemplate,
        config: Arc<ClientConfig>,
        connector: Arc<dyn Connect>,
    ) -> Self {
        Self(Arc::new(Shared {
            address,
            head,
            config,
            connector,
            connections: ArcSwap::default(),
            state: watch::Sender::new(LinkState::Idle),
            machine: Machine::default(),
            changed: Arc::default(),
            complaints: AtomicU32::new(0),
        }))
    }

    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let shared = &*self.0;
        let (mut refused, mut closed) = (0, 0);
        loop {
            let connection = if let Some(connection) = shared.pick() {
                connection
            } else {
                let patient = call.options.wait_for_ready == Some(true);
                let waited = until(call.context.deadline(), self.wait(patient)).await;
                waited.map_err(|status| shared.place(status))?
            };
            let Failed { status, again } =
                match attempt(&connection, &shared.head, &shared.config, call).await {
                    Ok(reply) => return Ok(reply),
                    Err(failed) => failed,
                };
            let counted = match again {
                Again::No => return Err(status),
                Again::NotSent => None,
                Again::NotTaken if status.reason() == Some(reason::DRAINING) => {
                    Some((&mut closed, MAX_CLOSED))
                }
                Again::NotTaken => Some((&mut refused, MAX_REFUSED)),
            };
            if let Some((count, max)) = counted {
                if *count == max {
                    return Err(status);
                }
                *count += 1;
            }
            tracing::debug!(path = call.method.path(), %status, "a call that was not begun is sent again");
            // Whatever happened, others get their turn before this call tries again.
            tokio::task::yield_now().await;
        }
    }

    /// Waits for a connection, as long as the link may have one without waiting for its back-off.
    #[cold]
    async fn wait(&self, patient: bool) -> Result<Arc<Connection>, Status> {
        let mut state = self.0.state.subscribe();
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                LinkState::Closed => return Err(self.0.closed()),
                LinkState::Failing(status) if !patient => {
                    Machine::want(&self.0)?;
                    return Err(status);
                }
                _ => Machine::want(&self.0)?,
            }
            if let Some(connection) = self.0.pick() {
                return Ok(connection);
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
                .min_by_key(|connection| connection.slots.taken())
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

    pub(super) fn complain(&self) {
        let complaints = self.complaints.fetch_add(1, Relaxed).saturating_add(1);
        tracing::warn!(address = %self.address, complaints, "the server got too many pings; they get fewer from now on");
    }
}

impl Link for GrpcLink {
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
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

impl Drop for GrpcLink {
    fn drop(&mut self) {
        Machine::abandon(&self.0);
    }
}

impl fmt::Debug for GrpcLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("GrpcLink")
            .field("address", &self.0.address)
            .field("state", &*state)
            .finish_non_exhaustive()
    }
}
