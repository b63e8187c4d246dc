//! The task that keeps the connections of a link.
//!
//! It lives while connections are there or wanted, and is the only one that dials, so that a thousand calls that find
//! no connection make one. After a loss it pauses for a moment that chance chooses, and dials: calls wait for that. If it
//! fails, the link is failing, and calls fail with it until the back-off is over and a connection is there again. A connection
//! that is lost before it has proved itself counts as a failure from the second time on, so that a server which hangs up
//! on everybody is not dialled in a tight loop; from the fourth on calls fail with it. One that nobody called and that the
//! server sends away is no failure: the link is idle until somebody calls.
//!
//! Where the server turns out not to speak this protocol, and there is another one to fall back to, the supervisor makes a
//! link of that one and follows its states, until the server speaks this protocol.

use std::{
    pin::{Pin, pin},
    sync::Arc,
};

use tokio::{
    task::JoinSet,
    time::{Instant, Sleep},
};

use super::{
    Life, Protocol, Supervised, Unable,
    fallback::{BETWEEN_TRIES, News, Other},
    link::Shared,
    members::{Members, pace},
    orders::Orders,
};
use crate::{BoxFuture, Status, server::caught, transport::LinkState};

/// What comes of a dial.
type Made<P> = Result<(Arc<<P as Protocol>::Connection>, <P as Protocol>::Driver), Unable>;

pub(super) struct Supervisor<P: Protocol> {
    shared: Arc<Shared<P>>,
    /// The tasks of connections, and the links of other transports that drain.
    tasks: JoinSet<()>,
    members: Members<P::Connection>,
    /// How many connections there are to be.
    target: usize,
    dial: Option<BoxFuture<'static, Made<P>>>,
    dialed: Instant,
    /// Until then nothing is dialled.
    pause: Option<Pin<Box<Sleep>>>,
    /// When to look whether there are too many connections.
    look: Option<Pin<Box<Sleep>>>,
    /// Calls that wait may have room elsewhere. Not asked at each change: those that are sent away make room where they were,
    /// and others would be sent there, without end.
    even_out: bool,
    /// How many dials in a row have failed, or have led to a connection that was lost before it had proved itself.
    failures: u32,
    /// One has succeeded, and none has failed since that connection proved itself.
    succeeded: bool,
    /// What the last dial failed with, or that too many connections in a row were lost before they had proved themselves.
    failing: Option<Status>,
    /// Boxed: few links have one.
    other: Option<Box<Other>>,
    rests: bool,
}

impl<P: Protocol> Supervisor<P> {
    pub(super) fn new(shared: Arc<Shared<P>>) -> Self {
        Self {
            tasks: JoinSet::new(),
            members: Members::new(),
            target: *shared.config().connections.start(),
            dial: None,
            dialed: Instant::now(),
            pause: None,
            look: None,
            even_out: false,
            failures: 0,
            succeeded: false,
            failing: None,
            other: None,
            rests: false,
            shared,
        }
    }

    // Borrowed: what takes itself by value stands in its future twice.
    pub(super) async fn run(&mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            self.review();
            if self.members.is_empty()
                && self.tasks.is_empty()
                && self.dial.is_none()
                && self.other.is_none()
                && Orders::rest(&shared)
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
                () = optional(&mut self.look) => {
                    self.look = None;
                    self.even_out = true;
                }
                () = changed(&mut self.other) => {}
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Looks at everything and does what follows from it.
    fn review(&mut self) {
        let shared = Arc::clone(&self.shared);
        let closing = shared.orders.lock().closing;
        if closing {
            self.dial = None;
            self.pause = None;
            self.members.drain_all();
            self.leave_other();
        }
        self.note_losses();
        if self.members.are_quiet(shared.config()) {
            self.members.drain_all();
            shared.orders.lock().no_longer_wanted();
        }
        if self.members.are_in_use() {
            shared.orders.lock().in_use();
        }
        let other = self.note_other();
        let wanted = shared.orders.lock().is_wanted(&shared);
        self.scale();
        self.members.retire(self.target);
        if self.has_to_dial(wanted) {
            self.dial();
        }
        self.publish(wanted, closing, other);
        if self.has_several() && std::mem::take(&mut self.even_out) {
            // After they were published: who is sent away finds the one that has room.
            self.members.even_out();
        }
    }

    fn has_to_dial(&mut self, wanted: bool) -> bool {
        let missing = match &self.other {
            Some(other) => other.ask_again,
            None if !wanted => {
                self.pause = None;
                false
            }
            None => self.members.open().count() < self.target,
        };
        missing && self.dial.is_none() && self.pause.is_none()
    }

    fn note_losses(&mut self) {
        let shared = &self.shared;
        let Some(losses) = self.members.take_losses(shared.config().backoff.proof) else {
            return;
        };
        if losses.any_proved {
            self.failures = 0;
        }
        let none_left = self.members.usable().next().is_none();
        // Beside others, one that nobody calls is made again, ever more rarely.
        let uncalled = if none_left { 0 } else { losses.uncalled };
        let failed = losses.unproved + uncalled;
        // Those that are lost at once were lost to one cause.
        self.failures = self.failures.saturating_add(failed.min(1));
        let mut orders = shared.orders.lock();
        // One that has not proved itself was no idle one: whoever it was made for may not have got to it yet.
        let idle = failed == 0 && !losses.any_busy;
        // Another would be sent away as well before anybody calls.
        let in_vain = losses.uncalled > 0 && !losses.any_proved;
        if none_left && idle && (in_vain || !shared.config().reconnect_idle) {
            orders.no_longer_wanted();
        } else if losses.any_used {
            orders.still_wanted();
        }
        drop(orders);
        // What others beside it were paused for counts no more.
        if none_left && losses.any_proved {
            self.pause = None;
            self.failing = None;
        }
        if self.pause.is_some() || self.dial.is_some() {
            return;
        }
        // What failed before the connection that was lost is an old story.
        self.failing = None;
        // If this was no failure, neither do those before it count for the pause.
        let failures = if failed == 0 { 0 } else { self.failures };
        match failures.saturating_sub(1) {
            0 => {
                let first = shared.config().backoff.first_pause(losses.lasted);
                self.pause_until(Instant::now() + first);
            }
            failures => {
                self.pause_after(failures);
                // Calls wait for two such pauses, as one is sent again three times. Longer ones they are not to sit out.
                self.failing = (failures > 2).then(|| self.shared.hung_up(self.failures));
            }
        }
    }

    /// True if the number of connections may change.
    fn has_several(&self) -> bool {
        self.shared.config().scales() || self.shared.protocol.spread().connections > 1
    }

    /// Makes room where there is none, and gives back what is too much.
    fn scale(&mut self) {
        if !self.has_several() {
            return;
        }
        let config = self.shared.config();
        let is_crowded = self.members.are_crowded();
        let most = [
            is_crowded.then_some(*config.connections.end()),
            self.members
                .take_pressed()
                .then(|| self.shared.protocol.spread().connections),
        ];
        let open = self.members.open().count();
        let wants_more = most.into_iter().flatten().any(|most| open < most);
        if self.dial.is_none() && wants_more {
            self.target = open + 1;
        }
        if self.look.is_none() {
            let more = self.members.shrink(config);
            self.look = more.then(|| Box::pin(tokio::time::sleep(pace(config))));
        }
        if self.dial.is_none() && self.pause.is_none() && !is_crowded && !wants_more {
            // Also what was wanted for calls that found room meanwhile.
            let usable = self.members.usable().count();
            self.target = self.target.min(usable).max(*config.connections.start());
        }
    }

    fn dial(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.dialed = Instant::now();
        if let Some(other) = &mut self.other {
            other.ask_again = false;
        }
        self.dial = Some(Box::pin(async move {
            let life = Life::new(&shared.changed, shared.config().scales());
            let timeout = shared.config().connect_timeout;
            // What connects may be the user's own: a panic of it is a failure like others.
            let connecting = pin!(async { shared.protocol.connect(&shared.address, life).await });
            let made = tokio::time::timeout(timeout, caught(connecting)).await;
            made.unwrap_or_else(|_| Ok(Err(format!("nothing came of it within {timeout:?}").into())))
                .unwrap_or_else(|panic| Err(Unable::panicked(&*panic)))
                .map_err(|unable| unable.at(&shared.address))
        }));
    }

    fn note_dial(&mut self, made: Made<P>) {
        let address = &self.shared.address;
        self.shared.orders.lock().has_dialed(made.is_err());
        match made {
            Ok((connection, driver)) => {
                tracing::debug!(%address, peer = ?connection.peer(), "connected");
                self.failing = None;
                self.succeeded = true;
                self.even_out = true;
                self.tasks.spawn(driver);
                self.members.add(connection);
                self.leave_other();
            }
            Err(unable) => {
                let status = unable.status();
                tracing::debug!(%address, %status, "cannot connect");
                if self.other.is_some() {
                    self.pause_until(self.dialed + BETWEEN_TRIES);
                } else if let (Unable::Foreign(_) | Unable::Silent(_), Some(fallback)) =
                    (&unable, &self.shared.fallback)
                {
                    tracing::debug!(%address, to = fallback.protocol(), "falling back");
                    let other = Other::new(fallback.link(address));
                    self.shared.other.store(Some(Arc::new(Arc::clone(other.link()))));
                    self.other = Some(Box::new(other));
                    // Calls that wait go there.
                    self.shared.state.send_modify(|_| {});
                } else {
                    let status = status.clone();
                    return self.note_failure(status);
                }
                // One that could not be asked has not said that it does not speak this protocol either.
                if let (Unable::Silent(_) | Unable::Failed(_), Some(other)) = (&unable, &mut self.other) {
                    let pause = other.note_silence();
                    self.pause_until(self.dialed + pause);
                }
            }
        }
    }

    fn note_failure(&mut self, status: Status) {
        if self.succeeded && self.members.any_proved(self.shared.config().backoff.proof) {
            self.failures = 0;
            self.succeeded = false;
        }
        self.failing = Some(status);
        self.failures = self.failures.saturating_add(1);
        self.pause_after(self.failures);
    }

    /// Sees how the link of the other transport does, if there is one. Its state, if it goes on.
    fn note_other(&mut self) -> Option<LinkState> {
        match self.other.as_mut()?.news() {
            News::Works(state) => return Some(state),
            News::Renewed => {
                // What was a long pause is one between two tries.
                if self.pause.is_some() {
                    self.pause_until(self.dialed + BETWEEN_TRIES);
                }
                return Some(LinkState::Ready);
            }
            News::Rests => {
                self.pause = None;
                self.shared.orders.lock().no_longer_wanted();
            }
            News::Ended => self.note_failure(self.shared.closed()),
        }
        self.leave_other();
        None
    }

    fn leave_other(&mut self) {
        if let Some(other) = self.other.take() {
            self.shared.other.store(None);
            other.leave(&mut self.tasks);
        }
    }

    fn pause_after(&mut self, failures: u32) {
        self.pause_until(self.dialed + self.shared.config().backoff.pause(failures));
    }

    fn pause_until(&mut self, until: Instant) {
        self.pause = (until > Instant::now()).then(|| Box::pin(tokio::time::sleep_until(until)));
    }

    /// Tells calls which connections there are, and whoever watches what the link can do.
    fn publish(&mut self, wanted: bool, closing: bool, other: Option<LinkState>) {
        let has_changed = self.publish_connections();
        if closing {
            return;
        }
        let any = self.members.usable().next().is_some();
        let next = match (other, &self.failing) {
            _ if any => LinkState::Ready,
            (Some(other), _) => other,
            (None, Some(status)) if wanted => LinkState::Failing(status.clone()),
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

    /// True if there are others than before.
    fn publish_connections(&self) -> bool {
        let known = self.shared.connections.load();
        let usable = || self.members.usable();
        let has_changed =
            known.len() != usable().count() || !usable().zip(known.iter()).all(|(a, b)| Arc::ptr_eq(a, b));
        if has_changed {
            self.shared
                .connections
                .store(Arc::new(usable().cloned().collect()));
        }
        has_changed
    }
}

impl<P: Protocol> Drop for Supervisor<P> {
    fn drop(&mut self) {
        if !self.rests {
            Orders::end(&self.shared);
        }
    }
}

async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

async fn changed(other: &mut Option<Box<Other>>) {
    match other {
        // Boxed as well: each link would have room for it.
        Some(other) => Box::pin(other.changed()).await,
        None => std::future::pending().await,
    }
}
