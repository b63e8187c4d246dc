//! The connections that a supervisor keeps.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{LinkConfig, Phase, Supervised};

/// How often, within the time in which calls must have had ample room, that is looked at.
const LOOKS: u32 = 8;

/// A connection that nobody has called for this long was made for no call that waits: one gets to it sooner.
const UNCALLED: Duration = Duration::from_millis(100);

/// The connections of a link that are there, those that drain included.
pub(super) struct Members<C> {
    all: Vec<Member<C>>,
    /// Since when the calls had ample room on one connection fewer.
    spacious_since: Option<Instant>,
}

struct Member<C> {
    connection: Arc<C>,
    made: Instant,
    /// It was noted that it takes no more calls.
    noted: bool,
    /// When it was last said to have had no call for long.
    quiet: Option<Instant>,
}

/// What was lost.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// How long the last one lasted.
    pub(super) lasted: Duration,
    /// How many, since the last one that had proved itself, had not.
    pub(super) unproved: u32,
    /// How many others, since then, the server has sent away because there was no call for them. That is no fault.
    pub(super) uncalled: u32,
    pub(super) any_proved: bool,
    /// There was a call on one, or had been.
    pub(super) any_used: bool,
    pub(super) any_busy: bool,
}

impl<C: Supervised> Members<C> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            spacious_since: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those that new calls may use.
    pub(super) fn usable(&self) -> impl Iterator<Item = &Arc<C>> {
        let all = self.all.iter().map(|member| &member.connection);
        all.filter(|connection| connection.takes_calls())
    }

    /// Those that are not to be replaced.
    pub(super) fn open(&self) -> impl Iterator<Item = &Arc<C>> {
        self.usable()
            .filter(|connection| connection.life().phase() == Phase::Open)
    }

    pub(super) fn any_proved(&self, proof: Duration) -> bool {
        let mut usable = self.all.iter().filter(|member| member.connection.takes_calls());
        usable.any(|member| member.is_proved(proof))
    }

    pub(super) fn add(&mut self, connection: Arc<C>) {
        // One is all that most links have: a vector that grows by itself would have room for four.
        self.all.reserve_exact(1);
        self.all.push(Member {
            connection,
            made: Instant::now(),
            noted: false,
            quiet: None,
        });
        self.spacious_since = None;
    }

    /// Drains those that are to be replaced and have been: one for each that is too many, the oldest first.
    pub(super) fn retire(&mut self, target: usize) {
        let surplus = self.usable().count().saturating_sub(target);
        let retiring = self
            .all
            .iter_mut()
            .filter(|member| member.connection.life().phase() == Phase::Retiring);
        retiring.take(surplus).for_each(Member::drain);
    }

    /// Has calls that wait for room pick anew, if there is some elsewhere.
    pub(super) fn even_out(&self) {
        if self
            .open()
            .any(|connection| connection.load() < connection.capacity())
        {
            let full = self
                .usable()
                .filter(|connection| connection.load() > connection.capacity());
            full.for_each(|connection| connection.regroup());
        }
    }

    pub(super) fn drain_all(&mut self) {
        self.all.iter_mut().for_each(Member::drain);
    }

    /// Those that were lost since this was asked last, if any.
    pub(super) fn take_losses(&mut self, proof: Duration) -> Option<Losses> {
        let mut losses: Option<Losses> = None;
        for member in &mut self.all {
            if member.noted || member.connection.takes_calls() {
                continue;
            }
            member.noted = true;
            let lost = losses.get_or_insert_default();
            lost.lasted = member.made.elapsed();
            lost.any_used |= member.connection.was_of_use();
            lost.any_busy |= member.connection.life().was_busy();
            if member.is_proved(proof) {
                lost.any_proved = true;
                (lost.unproved, lost.uncalled) = (0, 0);
            } else if member.was_uncalled() {
                lost.uncalled += 1;
            } else {
                lost.unproved += 1;
            }
        }
        self.all
            .retain(|member| member.connection.life().phase() < Phase::Closed);
        losses
    }

    /// True if there was no call for the idle timeout on any that takes some: each says so every half of it.
    pub(super) fn are_quiet(&mut self, config: &LinkConfig) -> bool {
        let Some(timeout) = config.idle_timeout else {
            return false;
        };
        let now = Instant::now();
        let (mut any, mut all) = (false, true);
        for member in self
            .all
            .iter_mut()
            .filter(|member| member.connection.takes_calls())
        {
            if member.connection.life().take_quiet() {
                member.quiet = Some(now);
            }
            let fresh = |quiet: Instant| now - quiet <= timeout;
            any = true;
            all &= member.connection.load() == 0 && member.quiet.is_some_and(fresh);
        }
        any && all
    }

    /// True if there is a call, or one that is to be replaced was called on. A link that nobody calls does not count as used
    /// because its connections grow old: each successor would have another.
    pub(super) fn are_in_use(&self) -> bool {
        self.usable().any(|connection| {
            let life = connection.life();
            let retires = life.phase() == Phase::Retiring;
            let was_called = || connection.was_of_use() || life.was_called_late();
            connection.load() > 0 || (retires && was_called())
        })
    }

    /// True if there is no room, and somebody waits for some.
    pub(super) fn are_crowded(&self) -> bool {
        let (mut some_wait, mut any) = (false, false);
        for connection in self.open() {
            let (load, capacity) = (connection.load(), connection.capacity());
            // A server that takes no calls at all will not do so on another connection.
            if load < capacity || capacity == 0 {
                return false;
            }
            any = true;
            some_wait |= load > capacity;
        }
        any && some_wait
    }

    /// True if on one of them the calls were so many, since this was asked last, that another is wanted.
    pub(super) fn take_pressed(&self) -> bool {
        self.open()
            .fold(false, |any, connection| connection.life().take_pressed() | any)
    }

    /// True if they were so many that none can be spared.
    fn take_needed(&self) -> bool {
        self.open()
            .fold(false, |any, connection| connection.life().take_needed() | any)
    }

    /// Closes one that is not needed, if calls had ample room without it for long. To be asked every [`pace`]; true as long as
    /// there are more than need be.
    pub(super) fn shrink(&mut self, config: &LinkConfig) -> bool {
        let open = self.open().count();
        if open <= *config.connections.start() {
            self.spacious_since = None;
            return false;
        }
        let load: usize = self.open().map(|connection| connection.load()).sum();
        let room = self.open().map(|connection| connection.capacity()).min();
        let room = room.unwrap_or(0).saturating_mul(open - 1);
        if self.take_needed() || load > room / 2 {
            self.spacious_since = None;
            return true;
        }
        let since = *self.spacious_since.get_or_insert_with(Instant::now);
        if since.elapsed() < config.shrink_after {
            return true;
        }
        self.spacious_since = None;
        let open = self
            .all
            .iter_mut()
            .filter(|member| member.connection.life().phase() == Phase::Open);
        // Of those with the fewest calls the youngest.
        if let Some(least) = open.rev().min_by_key(|member| member.connection.load()) {
            least.drain();
        }
        true
    }
}

/// How often to ask whether there are too many.
pub(super) fn pace(config: &LinkConfig) -> Duration {
    (config.shrink_after / LOOKS).clamp(Duration::from_millis(1), Duration::from_secs(1))
}

impl<C: Supervised> Member<C> {
    /// Closes it once its calls are done. That is our wish, and no loss.
    fn drain(&mut self) {
        self.connection.advance(Phase::Draining);
        self.noted = true;
    }

    fn is_proved(&self, proof: Duration) -> bool {
        self.connection.was_of_use() || self.made.elapsed() >= proof
    }

    /// The server sent it away, and there was no call on it.
    fn was_uncalled(&self) -> bool {
        let life = self.connection.life();
        let had_call = life.was_busy() || self.connection.was_of_use();
        life.was_sent_away() && !had_call && self.made.elapsed() >= UNCALLED
    }
}
