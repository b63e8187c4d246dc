//! The accept loop, and the task of one connection.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::OwnedSemaphorePermit,
    task::{JoinError, JoinSet},
    time::Instant,
};

use super::{
    Shared,
    open::{Opened, Refused},
};
use crate::{
    BoxFuture,
    net::Address,
    transport::{Accepted, DrainPhase, Io},
};

/// A socket that listens.
pub(super) trait Acceptor: Send + 'static {
    /// What it accepts.
    type Io: Io;

    /// The next connection.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Incomer<Self::Io>>>;
}

/// A socket, which is closed with the first of its holders: a task that is aborted goes on to hold what it has until its
/// runtime gets to it.
pub(super) struct Held<A>(Arc<Mutex<Option<A>>>);

impl<A> Held<A> {
    /// One for who accepts, one for who ends that.
    pub(super) fn twice(acceptor: A) -> (Self, Self) {
        let held = Arc::new(Mutex::new(Some(acceptor)));
        (Self(Arc::clone(&held)), Self(held))
    }

    fn lock(&self) -> MutexGuard<'_, Option<A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Drop for Held<A> {
    fn drop(&mut self) {
        let acceptor = self.lock().take();
        drop(acceptor);
    }
}

impl<A: Acceptor> Acceptor for Held<A> {
    type Io = A::Io;

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Incomer<A::Io>>> {
        match &mut *self.lock() {
            Some(acceptor) => acceptor.poll_accept(cx),
            // The task is about to be dropped.
            None => Poll::Pending,
        }
    }
}

/// A connection as the system hands it over.
pub(super) struct Incomer<S> {
    pub(super) io: S,
    pub(super) local: Option<Address>,
    pub(super) peer: Option<Address>,
}

/// Accepts until the drain begins, then closes the socket and waits until the connections have ended.
pub(super) async fn run(mut acceptor: impl Acceptor, shared: Arc<Shared>) {
    let mut drain = shared.drain.clone();
    let mut connections = JoinSet::new();
    let mut pause = Pause::default();
    let mut full = false;
    loop {
        tokio::select! {
            biased;
            () = drain.reached(DrainPhase::Draining) => break,
            Some(ended) = connections.join_next() => report(ended),
            incomer = pause.accept(&mut acceptor) => {
                let Some(incomer) = incomer else { continue };
                let room = Arc::clone(&shared.room).try_acquire_owned();
                // Said once, not for each that is refused: there may be very many.
                if room.is_err() && !full {
                    tracing::warn!(peer = %Peer(incomer.peer.as_ref()), "too many connections: new ones are refused");
                }
                full = room.is_err();
                if let Ok(room) = room {
                    connections.spawn(serve(incomer, Arc::clone(&shared), room));
                }
            }
        }
    }
    drop(acceptor);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

/// Serves a connection to its end. What it takes to open one is in a box, which goes back once it is open.
fn serve<S: Io>(
    incomer: Incomer<S>,
    shared: Arc<Shared>,
    room: OwnedSemaphorePermit,
) -> impl Future<Output = ()> + Send {
    let opening = Box::pin(open(incomer, shared));
    async move {
        if let Some((serving, ends)) = opening.await {
            serving.await;
            ends.await;
        }
        drop(room);
    }
}

/// Finds out what a connection speaks. Answers what serves it, and what ends it afterwards; `None` if it was refused.
async fn open<S: Io>(
    incomer: Incomer<S>,
    shared: Arc<Shared>,
) -> Option<(BoxFuture<'static, ()>, BoxFuture<'static, ()>)> {
    let Incomer { io, local, peer } = incomer;
    let mut drain = shared.drain.clone();
    let opened = tokio::select! {
        biased;
        opened = shared.opener.open(io, shared.drain.clone()) => opened,
        // Nothing was asked on it yet.
        () = drain.reached(DrainPhase::Draining) => return None,
    };
    let Opened {
        io,
        ends,
        transport,
        secure,
    } = match opened {
        Ok(opened) => opened,
        Err(Refused::Silent) => return None,
        Err(refused) => {
            tracing::debug!(peer = %Peer(peer.as_ref()), %refused, "a connection was refused");
            return None;
        }
    };
    let connection = Accepted {
        io,
        local,
        peer,
        secure,
    };
    Some((transport.serve(connection, shared.dispatch.clone(), drain), ends))
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "the task of a connection panicked; the connection is closed");
    }
}

/// When to accept again after a failure.
///
/// An error of one connection (it was reset before it was accepted) says nothing about the next. Any other one, above all
/// that the process has no file descriptor left, comes again at once and would turn the loop into a busy one: it pauses,
/// 10 ms at first, then twice as long each time up to 1 s, until a connection is accepted.
#[derive(Debug, Default)]
struct Pause {
    length: Duration,
    until: Option<Instant>,
}

impl Pause {
    /// The next connection; `None` if it could not be accepted.
    async fn accept<A: Acceptor>(&mut self, acceptor: &mut A) -> Option<Incomer<A::Io>> {
        if let Some(until) = self.until {
            tokio::time::sleep_until(until).await;
            self.until = None;
        }
        match poll_fn(|cx| acceptor.poll_accept(cx)).await {
            Ok(incomer) => {
                self.length = Duration::ZERO;
                Some(incomer)
            }
            Err(error) if is_of_one_connection(&error) => {
                tracing::debug!(%error, "a connection broke before it was accepted");
                None
            }
            Err(error) => {
                self.length = (self.length * 2).clamp(Duration::from_millis(10), Duration::from_secs(1));
                self.until = Some(Instant::now() + self.length);
                tracing::warn!(%error, pause = ?self.length, "cannot accept connections");
                None
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

struct Peer<'a>(Option<&'a Address>);

impl std::fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("(unnamed)"),
        }
    }
}

#[cfg(test)]
mod tests;
