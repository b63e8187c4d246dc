//! The part of the instances that a client uses, as the list changes.

use std::collections::{BTreeMap, HashMap, HashSet};

use rpc_core::context::Lane;
use rpc_registry::{Change, Instance, InstanceId, InstanceState, Listed};

use super::Subsetting;

/// Between what the resolver tells and what endpoints are made of.
#[derive(Debug)]
pub(crate) struct Part {
    subsetting: Subsetting,
    all: BTreeMap<InstanceId, Listed>,
    used: HashSet<InstanceId>,
}

impl Part {
    pub(crate) fn new(subsetting: Subsetting) -> Self {
        Self {
            subsetting,
            all: BTreeMap::new(),
            used: HashSet::new(),
        }
    }

    /// What changes for the part. Those that are near belong to it besides.
    pub(crate) fn apply(&mut self, mut change: Change, is_near: impl Fn(&Instance) -> bool) -> Change {
        let mut touched = HashSet::new();
        for id in &change.gone {
            self.all.remove(id);
        }
        for listed in change.put.drain(..) {
            let id = listed.instance.id.clone();
            touched.insert(id.clone());
            self.all.insert(id, listed);
        }
        let wanted = self.wanted(is_near);
        let is_new = |id: &&InstanceId| touched.contains(*id) || !self.used.contains(*id);
        let put = wanted
            .iter()
            .filter(is_new)
            .filter_map(|id| self.all.get(id).cloned());
        change.put = put.collect();
        change.gone = self.used.difference(&wanted).cloned().collect();
        self.used = wanted;
        change
    }

    /// How many of the list are not in the part.
    pub(crate) fn left_out(&self) -> usize {
        self.all.len() - self.used.len()
    }

    fn wanted(&self, is_near: impl Fn(&Instance) -> bool) -> HashSet<InstanceId> {
        let mut lanes: HashMap<Option<&Lane>, Vec<&InstanceId>> = HashMap::new();
        let mut wanted = HashSet::new();
        for (id, listed) in &self.all {
            if listed.instance.state == InstanceState::Up {
                if is_near(&listed.instance) {
                    wanted.insert(id.clone());
                }
                lanes.entry(listed.instance.lane.as_ref()).or_default().push(id);
            } else if self.used.contains(id) {
                wanted.insert(id.clone());
            }
        }
        for ids in lanes.into_values() {
            wanted.extend(self.subsetting.choose(ids).into_iter().cloned());
        }
        wanted
    }
}
