//! The way of a call over a link.

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::{Notify, watch};

use super::{Again, Failed, LinkConfig, Protocol, Supervised, orders::Orders};
use crate::{
    BoxFuture, Call, CallFuture, Reply, Status,
    context::until,
    net::Address,
    status::{Side, reason},
    transport::{Link, LinkState, Transport},
};

/// How often a call is sent again at once because the server did not take it. A server that refuses a stream may take the
/// next; one that closes its connections one after the other, as all do in a rolling restart, takes it on the third.
const MAX_REFUSED: u32 = 1;
const MAX_CLOSED: u32 = 3;

/// So many calls, and twice as many as there are on another connection, are no reason to leave one whose task runs on the caller's
/// thread.
const NEAR_CALLS: usize = 4;

/// The connections to one address, kept by a supervisor.
///
/// It connects when it is first called, or told to, and again when a connection is lost. Links need a tokio runtime to be
/// called in. A link that is used from several runtimes lives on the one that woke it up, and wakes up on another when
/// that is gone. [`Link::close`] lets calls go on to their end, even if the link is dropped after it; dropping a link that was
/// not closed breaks them off.
pub struct SupervisedLink<P: Protocol>(Arc<Shared<P>>);

/// What a link, its supervisor and its connections share.
pub(super) struct Shared<P: Protocol> {
    pub(super) address: Address,
    pub(super) protocol: P,
    /// What new calls choose from. Replaced as a whole; some of it may take no calls any more.
    pub(super) connections: ArcSwap<Vec<Arc<P::Connection>>>,
    pub(super) state: watch::Sender<LinkState>,
    pub(super) orders: Orders,
    /// Something changed that the supervisor has to look at.
    pub(super) changed: Arc<Notify>,
    /// What to call over if the server does not speak this protocol.
    pub(super) fallback: Option<Arc<dyn Transport>>,
    /// The link of it, while that is so.
    pub(super) other: ArcSwapOption<Arc<dyn Link>>,
}

/// What a call goes over: a connection, or the link of another transport that has to do.
type Way<C> = Result<Arc<C>, Arc<dyn Link>>;

impl<P: Protocol> SupervisedLink<P> {
    /// A link that connects nothing yet.
    ///
    /// Where the server turns out not to speak the protocol, calls go over a link of `fallback`, if there is one, until that has
    /// to connect anew; then the protocol is tried again.
    pub fn new(address: Address, protocol: P, fallback: Option<Arc<dyn Transport>>) -> Self {
        Self(Arc::new(Shared {
            address,
            protocol,
            connections: ArcSwap::default(),
            state: watch::Sender::new(LinkState::Idle),
            orders: Orders::default(),
            changed: Arc::default(),
            fallback,
            other: ArcSwapOption::empty(),
        }))
    }

    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let shared = &*self.0;
        let (mut refused, mut closed) = (0, 0);
        loop {
            let connection = match shared.pick() {
                Some(connection) => Ok(connection),
                None => match shared.other.load_full() {
                    Some(other) => Err(Arc::clone(&*other)),
                    None => self.connection(call).await?,
                },
            };
            let failed = match &connection {
                Ok(connection) => match shared.protocol.attempt(connection, call).await {
                    // Left at once: a reply is large, and each move of it copies all of it.
                    Ok(reply) => return Ok(reply),
                    Err(failed) => failed,
                },
                // Boxed, as the rare case: it would make every call's future larger.
                Err(other) => match Box::pin(shared.call_other(other, call)).await {
                    Ok(reply) => return Ok(reply),
                    Err(failed) => failed,
                },
            };
            let Failed { status, again } = failed;
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

    /// Waits for a connection until the call's deadline, or finds that another transport has to do.
    #[cold]
    fn connection<'a>(&'a self, call: &Call<'_>) -> BoxFuture<'a, Result<Way<P::Connection>, Status>> {
        let patient = call.options.wait_for_ready == Some(true);
        let deadline = call.context.deadline();
        Box::pin(async move {
            let waited = until(deadline, self.wait(patient)).await;
            waited.map_err(|status| self.0.place(status))
        })
    }

    /// Waits for a connection, as long as the link may have one without waiting for its back-off.
    async fn wait(&self, patient: bool) -> Result<Way<P::Connection>, Status> {
        let shared = &self.0;
        let mut state = shared.state.subscribe();
        let _waits = shared.orders.wait();
        loop {
            let now = state.borrow_and_update().clone();
            if let Some(other) = shared.other.load_full() {
                return Ok(Err(Arc::clone(&*other)));
            }
            match now {
                LinkState::Closed => return Err(shared.closed()),
                LinkState::Failing(status) if !patient => {
                    Orders::want(shared)?;
                    return Err(status);
                }
                _ => Orders::want(shared)?,
            }
            if let Some(connection) = shared.pick() {
                return Ok(Ok(connection));
            }
            if state.changed().await.is_err() {
                return Err(shared.closed());
            }
        }
    }
}

impl<P: Protocol> Shared<P> {
    pub(super) fn config(&self) -> &LinkConfig {
        self.protocol.link_config()
    }

    /// The connection with the fewest calls of those that take some, among which calls elsewhere count more.
    fn pick(&self) -> Option<Arc<P::Connection>> {
        let connections = self.connections.load();
        let chosen = match connections.as_slice() {
            [only] => only.takes_calls().then_some(only),
            several => several
                .iter()
                .filter(|connection| connection.takes_calls())
                .min_by_key(|connection| cost(&***connection)),
        }?;
        chosen.life().note_chosen();
        Some(Arc::clone(chosen))
    }

    /// Calls over the link of another transport.
    async fn call_other(&self, other: &Arc<dyn Link>, call: &mut Call<'_>) -> Result<Reply, Failed> {
        let status = match other.call(call).await {
            Ok(reply) => return Ok(reply),
            Err(status) => status,
        };
        // It was closed under the call, because it is our turn again. Its reason alone does not tell: a server may have said that.
        let is_closed = !status.was_processed() && status.reason() == Some(reason::CHANNEL_CLOSED);
        let left = || matches!(*other.state().borrow(), LinkState::Closed) || !self.goes_over(other);
        let again = if is_closed && left() && !self.orders.lock().closing {
            Again::NotSent
        } else {
            Again::No
        };
        Err(Failed { status, again })
    }

    /// True if calls go over this link of another transport.
    fn goes_over(&self, other: &Arc<dyn Link>) -> bool {
        let now = self.other.load_full();
        now.is_some_and(|now| Arc::ptr_eq(&*now, other))
    }

    /// Says where a call was going that found no connection: it was not begun.
    fn place(&self, status: Status) -> Status {
        status
            .at_side(Side::Client)
            .at_addresses(None, Some(&self.address))
            .not_processed()
    }

    /// So many connections in a row could not be made, or were lost before they had proved themselves.
    pub(super) fn hung_up(&self, times: u32) -> Status {
        Status::unavailable(format!(
            "the last {times} connections failed or were lost before a call was answered"
        ))
        .with_reason(reason::CONNECT_FAILED)
        .with_domain(reason::DOMAIN)
        .at_side(Side::Network)
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

/// What a call would find on a connection, to compare it with others.
///
/// A task that runs on this thread does not run now: the call finds free what it would contend for with one on another thread,
/// and its request goes out with those of other calls that are begun here. That is worth some company. Where there is no room
/// nothing is, as then the call would wait.
fn cost(connection: &impl Supervised) -> usize {
    let load = connection.load();
    if connection.life().was_driven_here() && load < connection.capacity() {
        load
    } else {
        NEAR_CALLS + 2 * load
    }
}

impl<P: Protocol> Link for SupervisedLink<P> {
    fn call<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
        CallFuture::made(|| self.call(call))
    }

    fn address(&self) -> &Address {
        &self.0.address
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.0.state.subscribe()
    }

    fn connect(&self) {
        if let Err(status) = Orders::want(&self.0) {
            tracing::debug!(address = %self.0.address, %status, "cannot connect now");
        }
    }

    fn close(&self) {
        Orders::close(&self.0);
    }
}

impl<P: Protocol> Drop for SupervisedLink<P> {
    fn drop(&mut self) {
        Orders::abandon(&self.0);
    }
}

impl<P: Protocol> fmt::Debug for SupervisedLink<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state.borrow();
        f.debug_struct("SupervisedLink")
            .field("address", &self.0.address)
            .field("state", &*state)
            .finish_non_exhaustive()
    }
}
