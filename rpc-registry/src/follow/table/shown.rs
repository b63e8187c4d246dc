//! What the client was told, and how that differs from what it should see.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use rpc_core::context::Lane;

use super::Known;
use crate::{
    Instance, InstanceId, InstanceState,
    follow::{FollowConfig, Listed, Narrow},
};

#[derive(Default)]
pub(super) struct Shown {
    told: HashMap<InstanceId, Listed>,
    /// Instances of which something may have changed since.
    touched: BTreeSet<InstanceId>,
}

impl Shown {
    pub(super) fn touch(&mut self, id: &InstanceId) {
        self.touched.insert(id.clone());
    }

    pub(super) fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// What is used of a narrowed fleet: of each lane a part of those that are up, and those that were told before and are off
    /// now, until they go.
    fn chosen(
        &self,
        known: &HashMap<InstanceId, Known>,
        narrow: &dyn Narrow,
        config: &FollowConfig,
    ) -> HashSet<InstanceId> {
        let mut chosen = HashSet::new();
        let mut lanes: HashMap<Option<&Lane>, Vec<&Instance>> = HashMap::new();
        let instances = known.values().map(|known| &*known.instance);
        for instance in instances.filter(|instance| config.filter.passes(instance)) {
            if instance.state == InstanceState::Up {
                lanes.entry(instance.lane.as_ref()).or_default().push(instance);
            } else if self.told.contains_key(&instance.id) {
                chosen.insert(instance.id.clone());
            }
        }
        for candidates in lanes.into_values() {
            chosen.extend(narrow.narrow(&candidates));
        }
        chosen
    }

    /// Gone, put. Costs as much as was touched; where the fleet is narrowed, as much as it is large.
    pub(super) fn diff(
        &mut self,
        known: &HashMap<InstanceId, Known>,
        config: &FollowConfig,
    ) -> (Vec<InstanceId>, Vec<Listed>) {
        let mut touched = std::mem::take(&mut self.touched);
        let chosen = config
            .narrow
            .as_ref()
            .filter(|_| !touched.is_empty())
            .map(|narrow| self.chosen(known, &**narrow, config));
        if let Some(chosen) = &chosen {
            touched.extend(self.told.keys().chain(chosen).cloned());
        }
        let (mut gone, mut put) = (Vec::new(), Vec::new());
        for id in touched {
            let seen = known
                .get(&id)
                .filter(|known| config.filter.passes(&known.instance))
                .filter(|_| chosen.as_ref().is_none_or(|chosen| chosen.contains(&id)));
            match seen {
                None => {
                    if self.told.remove(&id).is_some() {
                        gone.push(id);
                    }
                }
                Some(known) => {
                    let listed = Listed {
                        instance: Arc::clone(&known.instance),
                        suspect: known.suspect_until.is_some(),
                    };
                    if self.told.get(&id) != Some(&listed) {
                        self.told.insert(id, listed.clone());
                        put.push(listed);
                    }
                }
            }
        }
        (gone, put)
    }
}
