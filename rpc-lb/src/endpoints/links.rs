//! Endpoints by instance id, with the last seen state of their links.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use rpc_core::{
    BoxFuture, Status,
    net::Address,
    transport::{Link, LinkState},
};
use rpc_registry::{Instance, InstanceId, InstanceState};
use tokio::{sync::watch, time::Instant};

use super::{
    Shared,
    place::{Foreign, place},
    tracked::{Tracked, Unreachable},
    watches::{News, Watches},
};
use crate::{
    Endpoint, Near,
    health::{Health, Said, Seen, Sickness},
    numbered::Numbered,
    route::Chain,
    snapshot::{Counts, Member, Scheme, Snapshot},
};

/// What the task knows of the endpoints.
pub(super) struct Links {
    shared: Arc<Shared>,
    /// In the order in which they came.
    tracked: Numbered<Tracked>,
    numbers: HashMap<InstanceId, u64>,
    /// Instances without an address that we could call.
    foreign: BTreeMap<InstanceId, Foreign>,
    next: u64,
    changes: FuturesUnordered<BoxFuture<'static, LinkChange>>,
    last_error: Option<Status>,
    unreachable: Vec<Unreachable>,
    /// Whose connections were lost.
    lost: Vec<u64>,
    watches: Watches,
    /// Links to close at the next snapshot.
    leaving: Vec<Arc<dyn Link>>,
}

/// Something has changed at an endpoint.
pub(super) enum Change {
    /// The state of its link.
    Link(LinkChange),
    /// What it says of its health.
    Said(News),
}

/// A link has changed its state.
pub(super) struct LinkChange {
    number: u64,
    states: watch::Receiver<LinkState>,
    gone: bool,
}

impl Links {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            tracked: Numbered::new(),
            numbers: HashMap::new(),
            foreign: BTreeMap::new(),
            next: 0,
            changes: FuturesUnordered::new(),
            last_error: None,
            unreachable: Vec::new(),
            lost: Vec::new(),
            watches: Watches::default(),
            leaving: Vec::new(),
        }
    }

    /// Brings the endpoints in line with what the resolver told.
    pub(super) fn apply(&mut self, change: rpc_registry::Change) {
        for id in &change.gone {
            if !self.keep(id) {
                self.remove(id);
            }
        }
        let first = change.is_first || self.tracked.is_empty();
        for listed in change.put {
            self.put(listed.instance, listed.suspect, first);
        }
    }

    /// Waits for the next change of a link; for ever while there is none.
    ///
    /// Dropping the future loses no change.
    pub(super) async fn changed(&mut self) -> Change {
        tokio::select! {
            Some(change) = self.changes.next() => Change::Link(change),
            news = self.watches.next() => Change::Said(news),
        }
    }

    /// Takes a change in. `beat` is another number after each call.
    pub(super) fn observe(&mut self, change: Change, beat: u64) {
        let LinkChange {
            number,
            mut states,
            gone,
        } = match change {
            Change::Link(change) => change,
            Change::Said(news) => return self.hear(&news),
        };
        let Some(tracked) = self.tracked.get_mut(number) else {
            return;
        };
        let was_ready = tracked.state.is_ready();
        tracked.state = if gone {
            LinkState::Closed
        } else {
            states.borrow_and_update().clone()
        };
        if was_ready && !tracked.state.is_ready() && !tracked.retired {
            self.lost.push(number);
        }
        tracing::debug!(endpoint = ?tracked.endpoint, state = %tracked.state, "link");
        match &tracked.state {
            LinkState::Ready => tracked.ready_at = beat,
            LinkState::Failing(status) => {
                self.last_error = Some(status.clone());
                if !tracked.retired {
                    self.unreachable.push(tracked.unreachable());
                }
            }
            // A connection that ended while calls were made is wanted again, and one to a suspect shows whether it lives;
            // one that nobody used is not, nor is one that could not be made: the next call connects what rests.
            LinkState::Idle
                if !tracked.retired && (tracked.suspect || was_ready && tracked.ready_at != beat) =>
            {
                tracked.connect();
            }
            LinkState::Closed if tracked.retired => {
                self.tracked.remove(number);
                return;
            }
            // A server of this process has ended: the instance is called through the network now, or another one is here.
            LinkState::Closed if matches!(tracked.endpoint.address(), Address::Local(_)) => {
                let (instance, suspect, first) =
                    (tracked.endpoint.instance(), tracked.suspect, tracked.first);
                self.remove(&instance.id);
                // One that was draining has drained.
                if instance.state != InstanceState::Draining {
                    self.put(instance, suspect, first);
                }
                return;
            }
            _ => {}
        }
        if !gone {
            self.watch(number, states);
        }
    }

    fn hear(&mut self, news: &News) {
        if let Some(tracked) = self.tracked.get_mut(news.number) {
            tracing::debug!(endpoint = ?tracked.endpoint, said = ?news.said, "health");
            tracked.said = news.said;
        }
    }

    /// The instances that could not be connected to since this was asked last.
    pub(super) fn take_unreachable(&mut self) -> Vec<Unreachable> {
        std::mem::take(&mut self.unreachable)
    }

    /// The endpoints whose connections were lost since this was asked last.
    pub(super) fn take_lost(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.lost)
    }

    /// Connects what is idle and may get calls.
    pub(super) fn connect(&self) {
        self.tracked
            .values()
            .filter(|tracked| !tracked.retired)
            .for_each(Tracked::connect);
    }

    /// Takes all instances out.
    pub(super) fn retire_all(&mut self) {
        let known: Vec<_> = self.numbers.keys().chain(self.foreign.keys()).cloned().collect();
        for id in &known {
            self.remove(id);
        }
        self.watches.clear();
    }

    /// True once no link is left, retired ones included.
    pub(super) fn is_empty(&self) -> bool {
        self.tracked.is_empty()
    }

    /// The endpoints as calls shall see them.
    pub(super) fn snapshot(&self, health: &Health, scheme: Scheme) -> Snapshot {
        let count = |why| self.foreign.values().filter(|foreign| **foreign == why).count();
        let mut counts = Counts {
            foreign: count(Foreign::Protocol),
            tls_only: count(Foreign::Secure),
            ..Counts::default()
        };
        let near = &self.shared.near;
        let mut kept = self.tracked.values().filter(|tracked| !tracked.retired);
        let is_anyone_there = kept.any(|tracked| tracked.is_up() && tracked.state.is_ready());
        let mut members = Vec::with_capacity(self.numbers.len());
        let mut absent = Vec::new();
        for (number, tracked) in self.tracked.iter().filter(|(_, tracked)| !tracked.retired) {
            let instance = tracked.endpoint.instance();
            if !tracked.is_up() && (is_anyone_there || !tracked.lingers(near)) {
                counts.off += 1;
                absent.push(tracked.absent());
                continue;
            }
            let sickness = match tracked.said {
                Said::NotServing => Some(Sickness::NotServing),
                _ => health.sickness(number),
            };
            match tracked.state {
                LinkState::Ready if tracked.suspect => counts.suspect += 1,
                LinkState::Ready => counts.ready += 1,
                LinkState::Idle => counts.idle += 1,
                LinkState::Connecting => counts.connecting += 1,
                _ => {
                    counts.failing += 1;
                    absent.push(tracked.absent());
                    continue;
                }
            }
            counts.sick += usize::from(sickness.is_some());
            members.push(Member {
                number,
                distance: near.distance(tracked.endpoint.address()),
                endpoint: Arc::clone(&tracked.endpoint),
                instance,
                is_ready: tracked.state.is_ready(),
                is_suspect: tracked.suspect,
                sickness,
                is_connecting: matches!(tracked.state, LinkState::Connecting),
            });
        }
        // They get calls as well then.
        if counts.suspect >= counts.ready {
            counts.ready += counts.suspect;
        }
        let last_error = self.last_error.clone().filter(|_| counts.failing > 0);
        let chain = Chain::new(Arc::clone(&self.shared.routers), &members);
        Snapshot {
            counts,
            absent: absent.into(),
            last_error,
            ..Snapshot::new(members, chain, scheme)
        }
    }

    /// All endpoints of the list.
    pub(super) fn seen(&self) -> impl Iterator<Item = Seen<'_>> + Clone {
        let kept = self.tracked.iter().filter(|(_, tracked)| !tracked.retired);
        kept.map(|(number, tracked)| Seen {
            number,
            endpoint: &tracked.endpoint,
            is_first: tracked.first,
            is_away: !tracked.is_up() || !tracked.state.is_ready() || tracked.said == Said::NotServing,
            said: tracked.said,
        })
    }

    /// True if an instance would be called in this process, or on this host.
    pub(super) fn is_near(&self, instance: &Instance) -> bool {
        let place = place(instance, &*self.shared.transport, &self.shared.near);
        place.is_ok_and(|(_, address)| self.shared.near.distance(&address) < Near::FAR)
    }

    fn put(&mut self, instance: Arc<Instance>, suspect: bool, first: bool) {
        let transport = &*self.shared.transport;
        let (protocol, address) = match place(&instance, transport, &self.shared.near) {
            Ok(place) => place,
            Err(why) => {
                tracing::debug!(instance = %instance.id, protocol = transport.protocol(), ?why, "no address for us");
                self.remove(&instance.id);
                self.foreign.insert(instance.id.clone(), why);
                return;
            }
        };
        self.foreign.remove(&instance.id);
        if let Some(tracked) = self
            .numbers
            .get(&instance.id)
            .and_then(|number| self.tracked.get_mut(*number))
        {
            if *tracked.endpoint.address() == address && tracked.protocol == protocol {
                tracked.suspect = suspect;
                tracked.endpoint.amend(instance);
                if suspect && tracked.state.is_failing() {
                    self.unreachable.push(tracked.unreachable());
                }
                // It may have come up just now.
                tracked.connect();
                return;
            }
            self.remove(&instance.id);
        }
        let link = self.shared.transport.link_by(protocol, &address);
        let number = self.next;
        self.next += 1;
        self.numbers.insert(instance.id.clone(), number);
        let mut states = link.state();
        let state = states.borrow_and_update().clone();
        let service = self.shared.health.watch.as_deref();
        let watch = service.map(|service| self.watches.begin(number, &link, service));
        let alarm = self.shared.alarm.clone();
        let tracked = Tracked {
            said: watch.as_ref().map_or(Said::Nothing, |_| Said::Unknown),
            watch,
            endpoint: Arc::new(Endpoint::new(instance, link, Instant::now()).with_alarm(alarm)),
            protocol,
            state,
            ready_at: 0,
            suspect,
            first,
            retired: false,
        };
        tracing::debug!(endpoint = ?tracked.endpoint, "new endpoint");
        // Ahead of the first call that is sent there.
        tracked.connect();
        self.tracked.get_or_insert_with(number, || tracked);
        self.watch(number, states);
    }

    /// Keeps an instance that is gone from the list and lingers; `false` if it does not.
    fn keep(&mut self, id: &InstanceId) -> bool {
        let number = self.numbers.get(id);
        let Some(tracked) = number.and_then(|number| self.tracked.get_mut(*number)) else {
            return false;
        };
        if !tracked.lingers(&self.shared.near) {
            return false;
        }
        let instance = Instance::clone(&tracked.endpoint.instance());
        tracked
            .endpoint
            .amend(Arc::new(instance.with_state(InstanceState::Draining)));
        tracked.suspect = false;
        true
    }

    fn remove(&mut self, id: &InstanceId) {
        self.foreign.remove(id);
        let Some(number) = self.numbers.remove(id) else {
            return;
        };
        let Some(tracked) = self.tracked.get_mut(number) else {
            return;
        };
        tracing::debug!(endpoint = ?tracked.endpoint, "endpoint is gone");
        tracked.retired = true;
        // Its stream would keep the link.
        tracked.watch = None;
        self.leaving.push(Arc::clone(tracked.endpoint.link()));
        if matches!(tracked.state, LinkState::Closed) {
            self.tracked.remove(number);
        }
    }

    /// Closes the links of endpoints that went, once no snapshot has them any more: a call that finds a closed link in its
    /// snapshot may find nothing else there.
    pub(super) fn close_leaving(&mut self) {
        for link in self.leaving.drain(..) {
            link.close();
        }
    }

    fn watch(&self, number: u64, mut states: watch::Receiver<LinkState>) {
        self.changes.push(Box::pin(async move {
            let gone = states.changed().await.is_err();
            LinkChange { number, states, gone }
        }));
    }
}
