//! What routers may know of all endpoints at each call.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rpc_core::context::Lane;

use super::{Fact, Router};
use crate::snapshot::Member;

/// What routers may know of all endpoints at each call, counted once for each list of them.
#[derive(Debug, Clone, Default)]
pub struct Population {
    len: usize,
    lanes: HashSet<Lane>,
    /// Few: a search by hash would cost more.
    values: Vec<(Fact, HashMap<Arc<str>, usize>)>,
}

impl Population {
    pub(super) fn of(members: &[Member], routers: &[Arc<dyn Router>]) -> Self {
        let mut facts: Vec<Fact> = routers.iter().flat_map(|router| router.facts()).collect();
        let mut known = HashSet::new();
        facts.retain(|fact| known.insert(fact.clone()));
        let instances = || members.iter().map(|member| &*member.instance);
        let values = facts.into_iter().map(|fact| {
            let mut counts = HashMap::new();
            for instance in instances() {
                fact.visit(instance, |value| match counts.get_mut(value) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(value.into(), 1);
                    }
                });
            }
            (fact, counts)
        });
        Self {
            len: members.len(),
            lanes: instances().filter_map(|instance| instance.lane.clone()).collect(),
            values: values.collect(),
        }
    }

    /// How many endpoints can be called, or may soon be.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True if one of them serves that lane.
    pub fn has_lane(&self, lane: &Lane) -> bool {
        self.lanes.contains(lane)
    }

    /// True if any of them serves a lane.
    pub fn has_lanes(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// The value of a fact, if one of them has it: a text for a [`RouteKey`](super::RouteKey) which costs no allocation, and
    /// of which there are no more than the endpoints have. Only for facts that [a router asks for](Router::facts).
    pub fn find(&self, fact: &Fact, value: &str) -> Option<&Arc<str>> {
        self.values_of(fact)?.get_key_value(value).map(|(known, _)| known)
    }

    /// How many of them have that value. Only for facts that [a router asks for](Router::facts).
    pub fn count(&self, fact: &Fact, value: &str) -> usize {
        let count = self.values_of(fact).and_then(|values| values.get(value));
        count.copied().unwrap_or_default()
    }

    fn values_of(&self, fact: &Fact) -> Option<&HashMap<Arc<str>, usize>> {
        let (_, values) = self.values.iter().find(|(known, _)| known == fact)?;
        Some(values)
    }
}
