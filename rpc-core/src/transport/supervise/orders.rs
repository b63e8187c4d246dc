//! What the users of a link want of its supervisor, and whether there is one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{runtime::Handle, task::AbortHandle, time::Instant};

use super::{Phase, Protocol, Supervised, link::Shared, supervisor::Supervisor};
use crate::{Status, status::Side, transport::LinkState};

/// Whether there is a supervisor, and what it is to do.
#[derive(Debug, Default)]
pub(super) struct Orders(Mutex<Inner>);

/// A call that waits for a connection: as long as it does, one is wanted.
pub(super) struct Waits<'a>(&'a Orders);

#[derive(Debug, Default)]
pub(super) struct Inner {
    task: Option<Running>,
    /// How many supervisors there were.
    begun: u64,
    /// When somebody last wanted a connection.
    wanted: Option<Instant>,
    /// Somebody has asked for one since the last dial was over.
    asked: bool,
    /// How many calls wait for one.
    waiting: usize,
    pub(super) closing: bool,
}

#[derive(Debug)]
struct Running {
    number: u64,
    /// `None` for the moment in which it is begun.
    handle: Option<AbortHandle>,
}

impl Orders {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that can panic happens while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call begins to wait for a connection.
    pub(super) fn wait(&self) -> Waits<'_> {
        self.lock().waiting += 1;
        Waits(self)
    }

    /// A connection is wanted: somebody sees to it.
    ///
    /// # Errors
    /// If the link was closed, or there is no runtime to run in, or one that ends.
    pub(super) fn want<P: Protocol>(shared: &Arc<Shared<P>>) -> Result<(), Status> {
        let mut orders = shared.orders.lock();
        if orders.closing {
            return Err(shared.closed());
        }
        let Ok(runtime) = Handle::try_current() else {
            return Err(Status::internal("a link connects only inside a tokio runtime").at_side(Side::Client));
        };
        orders.wanted = Some(Instant::now());
        orders.asked = true;
        if orders.task.is_some() {
            shared.changed.notify_one();
            return Ok(());
        }
        shared.state.send_if_modified(|state| {
            let idle = matches!(state, LinkState::Idle);
            if idle {
                *state = LinkState::Connecting;
            }
            idle
        });
        orders.begun += 1;
        let number = orders.begun;
        orders.task = Some(Running { number, handle: None });
        // A runtime that ends drops the task at once, and that looks at the orders.
        drop(orders);
        let mut supervisor = Supervisor::new(Arc::clone(shared));
        let handle = runtime
            .spawn(async move { supervisor.run().await })
            .abort_handle();
        let mut orders = shared.orders.lock();
        let closing = orders.closing;
        match &mut orders.task {
            // Nobody can have abandoned the link meanwhile: who wants a connection holds it.
            Some(running) if running.number == number => running.handle = Some(handle),
            _ if closing => return Err(shared.closed()),
            _ => return Err(Status::unavailable("the tokio runtime ends").at_side(Side::Client)),
        }
        Ok(())
    }

    /// No more calls: those that run go on, and then the connections are closed.
    pub(super) fn close<P: Protocol>(shared: &Shared<P>) {
        let mut orders = shared.orders.lock();
        orders.closing = true;
        match orders.task {
            // It says that the link is closed once the last call is done. Whoever waits for a connection looks again.
            Some(_) => shared.state.send_modify(|_| {}),
            None => drop(shared.state.send_replace(LinkState::Closed)),
        }
        drop(orders);
        shared.other.store(None);
        for connection in shared.connections.load().iter() {
            connection.advance(Phase::Draining);
        }
        shared.changed.notify_one();
    }

    /// Nobody holds the link any more. What was not closed is broken off.
    pub(super) fn abandon<P: Protocol>(shared: &Shared<P>) {
        let mut orders = shared.orders.lock();
        let running = orders.task.take().filter(|_| !orders.closing);
        if let Some(handle) = running.and_then(|running| running.handle) {
            handle.abort();
        }
    }

    /// True if there is nothing left to do; then the next one who wants a connection starts another supervisor.
    pub(super) fn rest<P: Protocol>(shared: &Shared<P>) -> bool {
        let mut orders = shared.orders.lock();
        if orders.is_wanted(shared) {
            return false;
        }
        orders.task = None;
        shared.state.send_replace(orders.at_rest());
        true
    }

    /// The supervisor ends before its time: the runtime ended, or the link is gone. If anybody still calls, it begins anew.
    pub(super) fn end<P: Protocol>(shared: &Shared<P>) {
        let mut orders = shared.orders.lock();
        orders.task = None;
        shared.connections.store(Arc::default());
        shared.other.store(None);
        shared.state.send_replace(orders.at_rest());
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        let mut orders = self.0.lock();
        orders.waiting -= 1;
        orders.still_wanted();
    }
}

impl Inner {
    /// A dial is over. If it has failed, who had asked for it is to hear of that, however long it took: patience counts from here.
    pub(super) fn has_dialed(&mut self, failed: bool) {
        if std::mem::take(&mut self.asked) && failed {
            self.still_wanted();
        }
    }

    /// There are calls: they want a connection again if one is lost.
    pub(super) fn still_wanted(&mut self) {
        self.wanted = self.wanted.map(|_| Instant::now());
    }

    /// There are calls on the connections: who finds one asks for none, and yet wants more when there is no room, and
    /// another when one is to be replaced.
    pub(super) fn in_use(&mut self) {
        self.wanted = Some(Instant::now());
    }

    /// There were no calls for long, or there is none to make another connection for.
    pub(super) fn no_longer_wanted(&mut self) {
        self.wanted = None;
    }

    pub(super) fn is_wanted<P: Protocol>(&self, shared: &Shared<P>) -> bool {
        if self.closing {
            return false;
        }
        match (self.wanted, shared.config().idle_timeout) {
            (Some(wanted), Some(patience)) => self.waiting > 0 || wanted.elapsed() < patience,
            (wanted, None) => wanted.is_some(),
            (None, _) => false,
        }
    }

    /// The state of a link without a connection and without work.
    fn at_rest(&self) -> LinkState {
        if self.closing {
            LinkState::Closed
        } else {
            LinkState::Idle
        }
    }
}
