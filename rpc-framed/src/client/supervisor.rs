//! The task that keeps the connections of a link.
//!
//! It lives while connections are there or wanted, and is the only one that dials, so that a thousand calls that find
//! no connection make one. After a loss it dials at once: calls wait for that. If it fails, the link is failing, and calls
//! fail with it until the back-off is over and a connection is there again. A connection that is lost right after it was
//! made, and on which no call was answered, counts as a failure from the second time on, so that a server which hangs up on
//! everybody is not dialled in a tight loop.
//!
//! Where the server turns out not to speak this protocol, and there is another one to fall back to, the supervisor makes a
//! link of that one, and from then on only passes its states on.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rpc_core::{
    BoxFuture, Status,
    status::Side,
    transport::{Link, LinkState},
};
use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinSet},
    time::{Instant, Sleep},
};

use super::{
    connection::{Connection, Phase, Task, Unable, establish},
    link::Shared,
};

/// Whether there is a supervisor, and what it is to do.
#[derive(Default)]
pub(super) struct Machine(Mutex<Orders>);

#[derive(Default)]
struct Orders {
    task: Option<Running>,
    /// How many supervisors there were.
    begun: u64,
    /// When somebody last wanted a connection.
    wanted: Option<Instant>,
    closing: bool,
}

struct Running {
    number: u64,
    /// `None` for the moment in which it is begun.
    handle: Option<AbortHandle>,
}

impl Machine {
    /// A connection is wanted: somebody sees to it.
    ///
    /// # Errors
    /// If the link was closed, or there is no runtime to run in, or one that ends.
    pub(super) fn want(shared: &Arc<Shared>) -> Result<(), Status> {
        let mut orders = shared.machine.lock();
        if orders.closing {
            return Err(shared.closed());
        }
        let Ok(runtime) = Handle::try_current() else {
            return Err(Status::internal("a link connects only inside a tokio runtime").at_side(Side::Client));
        };
        orders.wanted = Some(Instant::now());
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
        let supervisor = Supervisor::new(Arc::clone(shared));
        let handle = runtime.spawn(supervisor.run()).abort_handle();
        let mut orders = shared.machine.lock();
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
    pub(super) fn close(shared: &Shared) {
        let mut orders = shared.machine.lock();
        orders.closing = true;
        match orders.task {
            // It says that the link is closed once the last call is done. Whoever waits for a connection looks again.
            Some(_) => shared.state.send_modify(|_| {}),
            None => drop(shared.state.send_replace(LinkState::Closed)),
        }
        drop(orders);
        for connection in shared.connections.load().iter() {
            connection.advance(Phase::Draining);
        }
        shared.changed.notify_one();
    }

    /// Nobody holds the link any more. What was not closed is broken off.
    pub(super) fn abandon(shared: &Shared) {
        let mut orders = shared.machine.lock();
        let running = orders.task.take().filter(|_| !orders.closing);
        if let Some(handle) = running.and_then(|running| running.handle) {
            handle.abort();
        }
    }

    /// True if there is nothing left to do; then the next one who wants a connection starts another supervisor.
    fn rest(shared: &Shared) -> bool {
        let mut orders = shared.machine.lock();
        if orders.is_wanted(shared) {
            return false;
        }
        orders.task = None;
        shared.state.send_replace(orders.at_rest());
        true
    }

    fn lock(&self) -> MutexGuard<'_, Orders> {
        // Nothing that can panic happens while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Orders {
    /// The state of a link without a connection and without work.
    fn at_rest(&self) -> LinkState {
        if self.closing {
            LinkState::Closed
        } else {
            LinkState::Idle
        }
    }

    fn is_wanted(&self, shared: &Shared) -> bool {
        if self.closing {
            return false;
        }
        match (self.wanted, shared.config.idle_timeout) {
            (Some(wanted), Some(patience)) => wanted.elapsed() < patience,
            (wanted, None) => wanted.is_some(),
            (None, _) => false,
        }
    }
}

/// What comes of a dial.
type Made = Result<(Arc<Connection>, Task), Unable>;

struct Supervisor {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    members: Vec<Member>,
    dial: Option<BoxFuture<'static, Made>>,
    dialed: Instant,
    /// Until then nothing is dialled.
    pause: Option<Pin<Box<Sleep>>>,
    /// How many dials in a row have failed, and with what the last one did.
    failures: u32,
    failing: Option<Status>,
    /// How many connections in a row were lost right after they were made, before they answered any call.
    short_lived: u32,
    rests: bool,
}

struct Member {
    connection: Arc<Connection>,
    made: Instant,
    /// It was noted that it takes no more calls.
    noted: bool,
}

impl Supervisor {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            tasks: JoinSet::new(),
            members: Vec::new(),
            dial: None,
            dialed: Instant::now(),
            pause: None,
            failures: 0,
            failing: None,
            short_lived: 0,
            rests: false,
        }
    }

    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            if let Some(other) = shared.other.get() {
                self.follow(other).await;
                self.rests = true;
                return;
            }
            self.review();
            if self.members.is_empty()
                && self.tasks.is_empty()
                && self.dial.is_none()
                && Machine::rest(&shared)
            {
                self.rests = true;
                return;
            }
            tokio::select! {
                () = shared.changed.notified() => {}
                made = optional(&mut self.dial) => {
                    self.dial = None;
                    self.note_dial(made);
                }
                () = optional(&mut self.pause) => self.pause = None,
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Passes on the states of the link that does it instead, until that is closed.
    async fn follow(&mut self, other: &Arc<dyn Link>) {
        let shared = Arc::clone(&self.shared);
        let mut states = other.state();
        loop {
            if shared.machine.lock().closing {
                other.close();
            }
            let state = states.borrow_and_update().clone();
            let ends = matches!(state, LinkState::Closed);
            shared.state.send_replace(state);
            if ends {
                return;
            }
            tokio::select! {
                changed = states.changed() => if changed.is_err() {
                    shared.state.send_replace(LinkState::Closed);
                    return;
                },
                () = shared.changed.notified() => {
                    // Somebody wants a connection, or none any more.
                    if !shared.machine.lock().closing {
                        other.connect();
                    }
                }
            }
        }
    }

    /// Looks at everything and does what follows from it.
    fn review(&mut self) {
        let closing = self.shared.machine.lock().closing;
        if closing {
            self.dial = None;
            self.pause = None;
            for member in &self.members {
                member.connection.advance(Phase::Draining);
            }
        }
        self.note_losses();
        let wanted = self.shared.machine.lock().is_wanted(&self.shared);
        let open = self
            .members
            .iter()
            .filter(|member| member.connection.phase() == Phase::Open)
            .count();
        if !wanted {
            self.pause = None;
        } else if open < self.shared.config.connections_per_address
            && self.dial.is_none()
            && self.pause.is_none()
        {
            self.dial();
        }
        self.publish(wanted, closing);
    }

    fn note_losses(&mut self) {
        let shared = &self.shared;
        let (mut lost, mut short_lived) = (false, self.short_lived);
        for member in self
            .members
            .iter_mut()
            .filter(|member| !member.noted && !member.connection.takes_calls())
        {
            member.noted = true;
            if member.connection.is_idle() {
                shared.machine.lock().wanted = None;
                continue;
            }
            lost = true;
            let useless =
                !member.connection.was_of_use() && member.made.elapsed() < shared.config.backoff.base;
            short_lived = if useless { short_lived + 1 } else { 0 };
        }
        self.members
            .retain(|member| member.connection.phase() < Phase::Closed);
        self.short_lived = short_lived;
        if !lost {
            return;
        }
        let mut orders = shared.machine.lock();
        orders.wanted = orders.wanted.map(|_| Instant::now());
        drop(orders);
        if self.pause.is_none() && self.dial.is_none() {
            self.pause_after(short_lived.saturating_sub(1));
        }
    }

    fn dial(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.dialed = Instant::now();
        self.dial = Some(Box::pin(async move {
            establish(
                &shared.address,
                &*shared.connector,
                &shared.config,
                &shared.changed,
            )
            .await
        }));
    }

    fn note_dial(&mut self, made: Made) {
        match made {
            Ok((connection, task)) => {
                tracing::debug!(address = %self.shared.address, peer = ?connection.peer, "connected");
                self.failing = None;
                self.failures = 0;
                self.tasks.spawn(task);
                for old in self
                    .members
                    .iter()
                    .filter(|member| member.connection.phase() == Phase::Retiring)
                {
                    old.connection.advance(Phase::Draining);
                    // That was our wish, and no loss.
                }
                for member in &mut self.members {
                    member.noted |= !member.connection.takes_calls();
                }
                self.members.push(Member {
                    connection,
                    made: Instant::now(),
                    noted: false,
                });
            }
            Err(unable) => {
                let status = unable.status();
                tracing::debug!(address = %self.shared.address, %status, "cannot connect");
                if let (Unable::Foreign(_), Some(fallback)) = (&unable, &self.shared.fallback) {
                    tracing::debug!(address = %self.shared.address, to = fallback.protocol(), "falling back");
                    let other = fallback.link(&self.shared.address);
                    other.connect();
                    // Nobody else sets it.
                    let _ = self.shared.other.set(other);
                    return;
                }
                self.failing = Some(status.clone());
                self.failures = self.failures.saturating_add(1);
                self.pause_after(self.failures);
            }
        }
    }

    fn pause_after(&mut self, failures: u32) {
        let until = self.dialed + self.shared.config.backoff.pause(failures);
        self.pause =
            (failures > 0 && until > Instant::now()).then(|| Box::pin(tokio::time::sleep_until(until)));
    }

    /// Tells calls which connections there are, and whoever watches what the link can do.
    fn publish(&mut self, wanted: bool, closing: bool) {
        let known = self.shared.connections.load();
        let usable = || {
            self.members
                .iter()
                .map(|member| &member.connection)
                .filter(|c| c.takes_calls())
        };
        let has_changed =
            known.len() != usable().count() || !usable().zip(known.iter()).all(|(a, b)| Arc::ptr_eq(a, b));
        if has_changed {
            self.shared
                .connections
                .store(Arc::new(usable().cloned().collect()));
        }
        if closing {
            return;
        }
        let any = usable().next().is_some();
        let next = match &self.failing {
            _ if any => LinkState::Ready,
            Some(status) if wanted => LinkState::Failing(status.clone()),
            _ if wanted || self.dial.is_some() => LinkState::Connecting,
            _ => LinkState::Idle,
        };
        self.shared.state.send_if_modified(|state| {
            let same = std::mem::discriminant(state) == std::mem::discriminant(&next);
            // A link that was closed in the meantime stays so.
            if matches!(state, LinkState::Closed)
                || (same && !has_changed && !matches!(next, LinkState::Failing(_)))
            {
                return false;
            }
            *state = next;
            // Whoever waits for a connection looks again when the list has changed; a new text alone wakes nobody.
            !same || has_changed
        });
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if self.rests {
            return;
        }
        // The runtime ended, or the link is gone. If anybody still calls, it begins anew.
        let mut orders = self.shared.machine.lock();
        orders.task = None;
        self.shared.connections.store(Arc::default());
        self.shared.state.send_replace(orders.at_rest());
    }
}

async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
