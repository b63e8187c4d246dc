//! What the client was told, and how that differs from what it should see.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::Known;
use crate::{
    Instance, InstanceId,
    follow::{FollowConfig, Listed},
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
            .map(|narrow| {
                let candidates = known.values().map(|known| &*known.instance);
                let candidates: Vec<&Instance> = candidates.filter(|i| config.filter.passes(i)).collect();
                narrow.narrow(&candidates)
            });
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
