//! What is known of the instances of a target, and what the client was told of them.

mod doubt;
mod flaps;
mod shown;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use self::{doubt::Losses, flaps::Flaps, shown::Shown};
use super::{FollowConfig, Listed};
use crate::{BadRecord, Instance, InstanceId, InstanceState, Record, Update, pause::later, update::id_of};

/// So many refused records are kept to be shown.
const MAX_REFUSED: usize = 100;

/// The instances of a target.
pub(super) struct Table {
    config: Arc<FollowConfig>,
    known: HashMap<InstanceId, Known>,
    /// Suspects, by when they are dropped.
    suspects: BTreeSet<(Instant, InstanceId)>,
    losses: Losses,
    flaps: Flaps,
    refused: BTreeMap<InstanceId, BadRecord>,
    /// They are others than when they were last [taken](Self::take_refused).
    refused_changed: bool,
    shown: Shown,
    /// The list is to be kept on disk: it is another one by now, or has to be kept anew.
    unsaved: bool,
}

struct Known {
    instance: Arc<Instance>,
    /// It is held back until then.
    suspect_until: Option<Instant>,
}

impl Table {
    pub(super) fn new(config: Arc<FollowConfig>) -> Self {
        Self {
            config,
            known: HashMap::new(),
            suspects: BTreeSet::new(),
            losses: Losses::default(),
            flaps: Flaps::default(),
            refused: BTreeMap::new(),
            refused_changed: false,
            shown: Shown::default(),
            unsaved: false,
        }
    }

    /// Takes in what a watch told. [`Update::Stale`] says nothing of instances.
    pub(super) fn apply(&mut self, update: Update, now: Instant) {
        match update {
            Update::Snapshot(records) => {
                let here: HashSet<InstanceId> = records.iter().map(|record| id_of(record).clone()).collect();
                let is_gone = |(id, known): (&InstanceId, &Known)| {
                    (known.suspect_until.is_none() && !here.contains(id)).then(|| id.clone())
                };
                let gone = self.known.iter().filter_map(is_gone).collect();
                let before = self.refused.len();
                self.refused.retain(|id, _| here.contains(id));
                self.refused_changed |= self.refused.len() != before;
                self.change(records, gone, now);
            }
            Update::Delta { put, gone } => self.change(put, gone, now),
            Update::Absent => {
                let gone = self
                    .known
                    .iter()
                    .filter(|(_, known)| known.suspect_until.is_none());
                let gone = gone.map(|(id, _)| id.clone()).collect();
                self.refused_changed |= !self.refused.is_empty();
                self.refused.clear();
                self.change(Vec::new(), gone, now);
            }
            Update::Stale(_) => {}
        }
    }

    /// Drops a suspect: it cannot be connected to.
    pub(super) fn dismiss(&mut self, id: &InstanceId) {
        if let Some(until) = self.known.get(id).and_then(|known| known.suspect_until) {
            self.suspects.remove(&(until, id.clone()));
            self.let_go(id);
        }
    }

    /// When the next suspect is dropped.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.suspects.first().map(|(until, _)| *until)
    }

    /// Drops the suspects whose time has passed.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.next_expiry().is_some_and(|until| until <= now) {
            if let Some((_, id)) = self.suspects.pop_first() {
                self.known.remove(&id);
                self.shown.touch(&id);
                self.unsaved = true;
            }
        }
    }

    /// What differs from what was told: gone, put.
    pub(super) fn diff(&mut self) -> (Vec<InstanceId>, Vec<Listed>) {
        self.shown.diff(&self.known, &self.config)
    }

    /// True if [`diff`](Self::diff) may have something to tell.
    pub(super) fn is_touched(&self) -> bool {
        self.shown.is_touched()
    }

    /// The list to keep on disk, if it is another one than last time or has to be kept anew. An empty one is not worth keeping,
    /// and one with suspects says more about the registry than about the instances.
    pub(super) fn take_unsaved(&mut self) -> Option<Vec<Arc<Instance>>> {
        if !self.unsaved || self.known.is_empty() || !self.suspects.is_empty() {
            return None;
        }
        self.unsaved = false;
        Some(
            self.known
                .values()
                .map(|known| Arc::clone(&known.instance))
                .collect(),
        )
    }

    /// The list has to be kept on disk anew, although nothing may have changed.
    pub(super) fn save_anew(&mut self) {
        self.unsaved = true;
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.known.len() - self.suspects.len(), self.suspects.len())
    }

    /// The refused records, if they are others than last time, by id.
    pub(super) fn take_refused(&mut self) -> Option<Vec<BadRecord>> {
        if !std::mem::take(&mut self.refused_changed) {
            return None;
        }
        Some(self.refused.values().cloned().collect())
    }

    fn change(&mut self, put: Vec<Record>, gone: Vec<InstanceId>, now: Instant) {
        let before = self.counts().0;
        let returned: HashSet<&InstanceId> = put.iter().map(id_of).collect();
        for id in &gone {
            self.accept(id);
        }
        // A set: what came and went several times while nobody looked may be named as often.
        let lost: BTreeSet<_> = gone
            .into_iter()
            // What went and came back is a changed record at most.
            .filter(|id| !returned.contains(id))
            .collect();
        drop(returned);
        let mut added = 0;
        for record in put {
            let sound = record.and_then(|instance| {
                let checked = instance.check();
                checked
                    .map_err(|fault| BadRecord::new(instance.id.clone(), fault))
                    .map(|()| instance)
            });
            match sound {
                Ok(instance) => added += usize::from(self.put(instance, now)),
                Err(bad) => self.refuse(bad),
            }
        }
        // The first list is no gain.
        let gained = if before == 0 { 0 } else { added };
        self.losses.gain(gained, now, &self.config.hold_back);
        self.remove(lost, before, now);
    }

    /// True if it is an instance that was not there before.
    fn put(&mut self, mut instance: Instance, now: Instant) -> bool {
        // It may stay for long, and there may be thousands: a vector that grew by one has room for four.
        instance.addresses.shrink_to_fit();
        instance.groups.shrink_to_fit();
        self.accept(&instance.id);
        let Some(known) = self.known.get_mut(&instance.id) else {
            self.flaps.came(&instance.id, now, &self.config.hold_back);
            self.shown.touch(&instance.id);
            self.unsaved = true;
            let id = instance.id.clone();
            let instance = Arc::new(instance);
            let suspect_until = None;
            self.known.insert(
                id,
                Known {
                    instance,
                    suspect_until,
                },
            );
            return true;
        };
        if let Some(until) = known.suspect_until.take() {
            self.suspects.remove(&(until, instance.id.clone()));
            self.flaps.came(&instance.id, now, &self.config.hold_back);
            self.losses.regain(1);
            self.shown.touch(&instance.id);
            self.unsaved = true;
        }
        if *known.instance != instance {
            self.shown.touch(&instance.id);
            self.unsaved = true;
            known.instance = Arc::new(instance);
        }
        false
    }

    /// It has no bad record any more.
    fn accept(&mut self, id: &InstanceId) {
        self.refused_changed |= self.refused.remove(id).is_some();
    }

    fn refuse(&mut self, bad: BadRecord) {
        tracing::warn!(instance = %bad.id, fault = %bad.fault, "a record cannot be understood");
        if self.refused.len() < MAX_REFUSED || self.refused.contains_key(&bad.id) {
            self.refused.insert(bad.id.clone(), bad);
            self.refused_changed = true;
        }
    }

    fn remove(&mut self, lost: BTreeSet<InstanceId>, before: usize, now: Instant) {
        let mut unannounced = Vec::new();
        for id in lost {
            let Some(known) = self.known.get(&id) else {
                continue;
            };
            if known.suspect_until.is_some() {
                continue;
            }
            if known.instance.state == InstanceState::Up {
                unannounced.push(id);
            } else {
                self.let_go(&id);
            }
        }
        if unannounced.is_empty() {
            return;
        }
        let hold_back = &self.config.hold_back;
        let left = self.counts().0 - unannounced.len();
        let is_mass = self.losses.lose(unannounced.len(), before, now, hold_back);
        if is_mass {
            tracing::warn!(
                gone = unannounced.len(),
                left,
                "instances vanished without having said so; they are held back while they answer"
            );
        }
        let mass = if is_mass {
            hold_back.protection
        } else {
            Duration::ZERO
        };
        let empty = if left == 0 {
            hold_back.empty
        } else {
            Duration::ZERO
        };
        for id in unannounced {
            self.flaps.went(&id, now, &self.config.hold_back);
            let flapping = if self.flaps.is_flapping(&id) {
                self.config.hold_back.flapping
            } else {
                Duration::ZERO
            };
            let hold = mass.max(empty).max(flapping);
            if hold.is_zero() {
                self.let_go(&id);
            } else if let Some(known) = self.known.get_mut(&id) {
                let until = later(now, hold);
                known.suspect_until = Some(until);
                self.shown.touch(&id);
                self.suspects.insert((until, id));
            }
        }
    }

    fn let_go(&mut self, id: &InstanceId) {
        self.known.remove(id);
        self.shown.touch(id);
        self.unsaved = true;
    }
}
