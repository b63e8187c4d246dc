//! Routers one after the other, and what they left for the requests that came so far.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    iter,
    sync::Arc,
};

use arc_swap::ArcSwap;
use rpc_core::Call;
use smallvec::SmallVec;

use super::{Candidates, Outcome, Population, RouteKey, Router, outcome::Choice};
use crate::{
    snapshot::Member,
    subset::{Plan, Subset},
};

/// What one router did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Its name.
    pub router: String,
    /// How many endpoints it was given.
    pub before: usize,
    /// How many it left.
    pub after: usize,
    /// Why, if it said so.
    pub reason: Option<String>,
}

impl Step {
    fn of(router: &dyn Router, before: usize, candidates: &mut Candidates<'_>) -> Self {
        Self {
            router: router.name().to_owned(),
            before,
            after: candidates.len(),
            reason: candidates.take_reason(),
        }
    }
}

/// One key for each router.
type Keys = SmallVec<[RouteKey; 4]>;

/// A value for each endpoint, by its number, in ascending order. Empty where all are equal.
pub(crate) type Traffic = Vec<(u64, u64)>;

/// How many different outcomes are kept. Beyond, each call is narrowed anew: slow, and right.
const KEPT: usize = 1024;

/// For how many sweeps the requests of a key count: calls that end now may have been sent long before.
const LATELY: u8 = 60;

/// The chain of one list of endpoints.
#[derive(Debug)]
pub(crate) struct Chain {
    routers: Arc<[Arc<dyn Router>]>,
    population: Population,
    /// By the keys of a request.
    kept: ArcSwap<HashMap<Keys, Arc<Outcome>>>,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new(Arc::new([]), &[])
    }
}

impl Chain {
    pub(crate) fn new(routers: Arc<[Arc<dyn Router>]>, members: &[Member]) -> Self {
        Self {
            population: Population::of(members, &routers),
            routers,
            kept: ArcSwap::default(),
        }
    }

    /// The keys of a request; `None` if nothing in it matters.
    #[inline]
    pub(crate) fn keys(&self, call: &Call<'_>) -> Option<Keys> {
        for (at, router) in self.routers.iter().enumerate() {
            let key = router.key(call, &self.population);
            if key != RouteKey::Plain {
                return Some(self.keys_from(call, at, key));
            }
        }
        None
    }

    #[cold]
    fn keys_from(&self, call: &Call<'_>, at: usize, first: RouteKey) -> Keys {
        let mut keys = Keys::from_elem(RouteKey::Plain, at);
        keys.push(first);
        let rest = self.routers.iter().skip(at + 1);
        keys.extend(rest.map(|router| router.key(call, &self.population)));
        keys
    }

    /// What the routers left for requests with these keys.
    pub(crate) fn kept(&self, keys: &Keys, make: impl FnOnce(&Keys) -> Outcome) -> Arc<Outcome> {
        if let Some(outcome) = self.kept.load().get(keys) {
            outcome.came();
            return Arc::clone(outcome);
        }
        let outcome = Arc::new(make(keys));
        self.kept.rcu(|kept| {
            if kept.len() >= KEPT {
                return Arc::clone(kept);
            }
            let mut more = HashMap::clone(kept);
            more.insert(keys.clone(), Arc::clone(&outcome));
            Arc::new(more)
        });
        outcome
    }

    /// All that is kept, and the plain outcome, each subset once.
    pub(crate) fn subsets(&self, plain: &Outcome) -> Vec<Arc<Subset>> {
        let kept = self.kept.load();
        let outcomes = kept.values().map(|outcome| &**outcome);
        let subsets = outcomes.chain([plain]).flat_map(Outcome::subsets);
        let mut known = HashSet::new();
        subsets
            .filter(|subset| known.insert(Arc::as_ptr(subset)))
            .cloned()
            .collect()
    }

    /// Which endpoints have got the same requests: those that all keys that came lately were left with, or none of them. A key
    /// of which no request came while this was asked [`LATELY`] times counts no more; asked without `ages`, it is not counted.
    pub(crate) fn traffic(&self, members: &[Member], plain: &Outcome, ages: bool) -> Traffic {
        if self.routers.is_empty() {
            return Traffic::new();
        }
        let kept = self.kept.load();
        // Many keys are left with the same: each list is gone through once.
        let mut lists = HashMap::<_, (u64, &[u32])>::new();
        let lately = kept
            .iter()
            .filter(|(_, outcome)| outcome.came_within(LATELY, ages))
            .map(|(keys, outcome)| (&**keys, &**outcome));
        for (keys, outcome) in iter::once((&[][..], plain)).chain(lately) {
            for (part, left) in outcome.lists().enumerate() {
                let mut hasher = DefaultHasher::new();
                (keys, part).hash(&mut hasher);
                let (of_list, _) = lists.entry(left.as_ptr_range()).or_insert((0, left));
                *of_list = of_list.wrapping_add(hasher.finish());
            }
        }
        // The nearest get all calls.
        let mut classes: Vec<_> = members.iter().map(|member| u64::from(member.distance)).collect();
        for (hash, left) in lists.into_values() {
            for index in left {
                let class = &mut classes[*index as usize];
                *class = class.wrapping_add(hash);
            }
        }
        members.iter().map(|member| member.number).zip(classes).collect()
    }

    /// Works out what is left for requests with these keys. What is the same for others is shared with them, and with it what
    /// its picker has learnt.
    pub(crate) fn outcome(
        &self,
        keys: &[RouteKey],
        members: &[Member],
        unkeyed: &Outcome,
        plan: &Plan<'_>,
    ) -> Outcome {
        let (candidates, steps) = self.narrow(keys, members);
        let mut parts = Vec::new();
        if !candidates.differ_in_distance() {
            let mut routers = self
                .routers
                .iter()
                .map(|router| (router, router.divide(&candidates)));
            if let Some((router, divided)) = routers.find(|(_, parts)| !parts.is_empty()) {
                for (share, mut part) in divided {
                    part.part_of(&candidates);
                    let mut steps = steps.clone();
                    steps.push(Step::of(&**router, candidates.len(), &mut part));
                    parts.push((share, part, steps));
                }
            }
        }
        let kept = self.kept.load();
        let make = |candidates: Candidates<'_>, steps: Vec<Step>| {
            let mut outcomes = kept.values().map(|outcome| &**outcome).chain([unkeyed]);
            let known = outcomes.find_map(|outcome| outcome.choice(candidates.left(), &steps));
            known.unwrap_or_else(|| {
                let left = candidates.left().into();
                Choice {
                    left,
                    subset: Arc::new(Subset::new(candidates, members, steps, plan)),
                }
            })
        };
        Outcome::new(candidates, steps, parts, make)
    }

    /// Narrows the endpoints; no keys are plain ones. Ends at the router that leaves nobody.
    fn narrow<'s>(&self, keys: &[RouteKey], members: &'s [Member]) -> (Candidates<'s>, Vec<Step>) {
        let mut candidates = Candidates::all(members);
        let mut steps = Vec::new();
        for (at, router) in self.routers.iter().enumerate() {
            if candidates.is_empty() {
                break;
            }
            let before = candidates.len();
            router.narrow(keys.get(at).unwrap_or(&RouteKey::Plain), &mut candidates);
            let step = Step::of(&**router, before, &mut candidates);
            if step.after < before || step.reason.is_some() {
                steps.push(step);
            }
        }
        (candidates, steps)
    }
}
