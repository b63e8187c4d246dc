//! The task that keeps the endpoints.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};

use futures_util::{FutureExt as _, future::OptionFuture};
use rpc_registry::{Change, FollowAll, Freshness};
use tokio::{
    sync::futures::Notified,
    time::{Instant, Sleep, sleep_until},
};

use super::{Phase, Shared, links::Links, orders::Order};
use crate::{
    Snapshot,
    endpoint::Alarm,
    health::{Found, Health},
    route::Traffic,
    snapshot::Scheme,
    subsetting::Part,
};

pub(super) struct Upkeep {
    shared: Arc<Shared>,
    links: Links,
    follow: FollowAll,
    freshness: Freshness,
    health: Health,
    /// Between the list and the links, where only a part of the list is used. Boxed: few clients have one.
    part: Option<Box<Part>>,
    /// How often calls were felt.
    beats: u64,
    /// When to look after the endpoints; never while there are no calls.
    sweep_at: Option<Instant>,
    /// When to do so earlier, because calls fail.
    alarm_at: Option<Instant>,
    swept: Option<Instant>,
}

impl Upkeep {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let follow = FollowAll::new(&shared.sources);
        shared.set_viewers(follow.viewers());
        let health = Health::new(&shared.health);
        let part = shared
            .subsetting
            .map(|subsetting| Box::new(Part::new(subsetting)));
        shared.pulse.store(false, Ordering::Relaxed);
        shared.begin();
        Self {
            health,
            part,
            beats: 0,
            sweep_at: None,
            alarm_at: None,
            swept: None,
            links: Links::new(Arc::clone(&shared)),
            shared,
            follow,
            freshness: Freshness::Pending,
        }
    }

    /// Runs until it is aborted, or everything is closed.
    ///
    /// By reference: a future that owned it would have room for it twice.
    pub(super) async fn run(&mut self) {
        let alarm = self.shared.alarm.clone();
        loop {
            let sweep_at = match (self.sweep_at, self.alarm_at) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            tokio::select! {
                change = self.follow.next() => self.learn(change),
                change = self.links.changed() => self.observe(change),
                () = self.shared.orders.given() => {
                    let orders = self.shared.orders.take();
                    if orders.has(Order::Close) {
                        break;
                    }
                    if orders.has(Order::Tend) {
                        self.beats += 1;
                        self.feel();
                    }
                    // Also at the first call in a while, which may find an endpoint: those that rested are wanted again.
                    if orders.has(Order::Tend) || orders.has(Order::Connect) {
                        self.links.connect();
                    }
                    // No news yet: a snapshot would wake those who wait, and they would ask again.
                    continue;
                }
                Some(()) = rang(alarm.as_deref()) => {
                    // Decided here, and at once; but when all fail at once, not for each of them.
                    let earliest = self.swept.map(|swept| swept + Health::ALARM);
                    let now = Instant::now();
                    self.alarm_at = Some(earliest.map_or(now, |earliest| earliest.max(now)));
                    continue;
                }
                Some(()) = until(sweep_at) => {
                    if !self.sweep() {
                        continue;
                    }
                }
            }
            // What happened at once makes one snapshot.
            self.catch_up();
            self.publish();
        }
        self.close().await;
    }

    fn learn(&mut self, change: Change) {
        self.freshness = change.freshness.clone();
        let change = match &mut self.part {
            Some(part) => part.apply(change, |instance| self.links.is_near(instance)),
            None => change,
        };
        self.links.apply(change);
        self.doubt();
    }

    fn observe(&mut self, change: super::links::Change) {
        // One that is felt and not heard of yet counts.
        let pulse = self.shared.pulse.swap(false, Ordering::Relaxed);
        self.beats += u64::from(pulse);
        self.links.observe(change, self.beats);
        for number in self.links.take_lost() {
            self.health.lose(number, Instant::now());
        }
        self.doubt();
    }

    /// Calls are made.
    fn feel(&mut self) {
        let now = Instant::now();
        self.sweep_at.get_or_insert(now + Health::PERIOD);
        if self.health.is_stale(now) {
            self.health.weigh(now, self.links.seen());
            self.shared.snapshot.load().refresh(now);
        }
    }

    /// Looks after the endpoints; true if there is news for calls.
    fn sweep(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.sweep_at.is_some_and(|at| at <= now);
        if is_due {
            self.sweep_at = None;
            // Armed again by the next call.
            self.shared.pulse.store(false, Ordering::Relaxed);
        }
        self.alarm_at = None;
        self.swept = Some(now);
        if let Some(alarm) = &self.shared.alarm {
            alarm.reset();
        }
        let traffic = if self.health.compares() {
            self.shared.snapshot.load().traffic(is_due)
        } else {
            Traffic::new()
        };
        let found = self.health.sweep(now, self.links.seen(), &traffic);
        if self.shared.health.panic == 0.0 && self.health.has_ejected() {
            // They may be the last ones: nobody can make a call then that would arm it.
            self.sweep_at.get_or_insert(now + Health::PERIOD);
        }
        // Not for each alarm of one that goes on failing.
        if is_due || found > Found::Nothing {
            self.shared.snapshot.load().refresh(now);
        }
        found == Found::Sick
    }

    /// What cannot be connected to may be gone.
    fn doubt(&mut self) {
        for unreachable in self.links.take_unreachable() {
            if unreachable.suspect {
                self.follow.dismiss(&unreachable.id);
            }
            self.follow.refresh();
        }
    }

    fn catch_up(&mut self) {
        while let Some(change) = self.links.changed().now_or_never() {
            self.observe(change);
        }
    }

    async fn close(&mut self) {
        self.links.retire_all();
        self.shared.publish(Snapshot {
            closed: true,
            ..Snapshot::default()
        });
        self.links.close_leaving();
        while !self.links.is_empty() {
            let change = self.links.changed().await;
            self.observe(change);
        }
        self.shared.advance(Phase::Closed);
    }

    fn publish(&mut self) {
        self.health.weigh(Instant::now(), self.links.seen());
        let scheme = Scheme {
            balancer: Arc::clone(&self.shared.balancer),
            panic: self.shared.health.panic,
            needs_latency: self.shared.health.eject.needs_latency(),
        };
        let mut snapshot = self.links.snapshot(&self.health, scheme);
        snapshot.freshness = self.freshness.clone();
        snapshot.awaited = self.follow.is_awaited();
        snapshot.counts.left_out = self.part.as_ref().map_or(0, |part| part.left_out());
        self.shared.publish(snapshot);
        self.links.close_leaving();
    }
}

/// Nothing where there is no alarm.
fn rang(alarm: Option<&Alarm>) -> OptionFuture<Notified<'_>> {
    alarm.map(Alarm::rang).into()
}

/// Nothing where there is no time. Boxed: most of the time there is none.
fn until(time: Option<Instant>) -> OptionFuture<Pin<Box<Sleep>>> {
    time.map(|time| Box::pin(sleep_until(time))).into()
}

impl Drop for Upkeep {
    /// The runtime may end under the task. What it kept is then of no use, and the next call starts anew.
    fn drop(&mut self) {
        self.shared.end();
    }
}
