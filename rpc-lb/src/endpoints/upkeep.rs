//! The task that keeps the endpoints.

use std::sync::Arc;

use futures_util::FutureExt as _;
use rpc_registry::{Fault, Follow, Update};

use super::{Phase, Shared, links::Links};
use crate::Snapshot;

pub(super) struct Upkeep {
    shared: Arc<Shared>,
    links: Links,
    listed: bool,
    fault: Option<Fault>,
}

impl Upkeep {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            links: Links::default(),
            listed: false,
            fault: None,
        }
    }

    /// Runs until it is aborted, or everything is closed.
    pub(super) async fn run(mut self) {
        let mut follow = Follow::new(&*self.shared.resolver);
        let mut phase = self.shared.phase.subscribe();
        loop {
            tokio::select! {
                _ = phase.wait_for(|phase| *phase > Phase::Open) => break,
                update = follow.next() => self.learn(update),
                change = self.links.changed() => self.observe(change),
                () = self.shared.wanted.notified() => {
                    self.links.connect();
                    // No news yet: a snapshot would wake those who wait, and they would ask again.
                    continue;
                }
            }
            // What happened at once makes one snapshot.
            self.catch_up();
            self.publish();
        }
        self.close().await;
    }

    fn learn(&mut self, update: Update) {
        match update {
            Update::Stale(fault) => {
                tracing::warn!(target = %self.shared.target, %fault, "the registry cannot be asked; the last list stays");
                self.fault = Some(fault);
            }
            update => {
                self.fault = None;
                self.listed = true;
                self.links.apply(update, &*self.shared.transport);
            }
        }
    }

    fn observe(&mut self, change: super::links::Change) {
        self.links.observe(change, self.shared.balancer.turn());
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
        while !self.links.is_empty() {
            let change = self.links.changed().await;
            self.observe(change);
        }
        self.shared.phase.send_replace(Phase::Closed);
    }

    fn publish(&self) {
        let mut snapshot = self.links.snapshot();
        snapshot.listed = self.listed;
        snapshot.fault.clone_from(&self.fault);
        self.shared.publish(snapshot);
    }
}

impl Drop for Upkeep {
    /// The runtime may end under the task. What it kept is then of no use, and the next call starts anew.
    fn drop(&mut self) {
        let closed = *self.shared.phase.borrow() > Phase::Open;
        self.shared.publish(Snapshot {
            closed,
            ..Snapshot::default()
        });
        if closed {
            self.shared.phase.send_replace(Phase::Closed);
        }
    }
}
