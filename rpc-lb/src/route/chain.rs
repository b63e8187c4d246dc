//! Routers one after the other, and what they left for the requests that came so far.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use rpc_core::Call;
use smallvec::SmallVec;

use super::{Candidates, Population, RouteKey, Router};
use crate::{snapshot::Member, subset::Subset};

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

/// One key for each router.
type Keys = SmallVec<[RouteKey; 4]>;

/// How many different outcomes are kept. Beyond, each call is narrowed anew: slow, and right.
const KEPT: usize = 1024;

/// The chain of one list of endpoints.
#[derive(Debug)]
pub(crate) struct Chain {
    routers: Arc<[Arc<dyn Router>]>,
    population: Population,
    /// By the keys of a request.
    kept: ArcSwap<HashMap<Keys, Arc<Subset>>>,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new(Arc::new([]), &[])
    }
}

impl Chain {
    pub(crate) fn new(routers: Arc<[Arc<dyn Router>]>, members: &[Member]) -> Self {
        Self {
            routers,
            population: Population::of(members),
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
    pub(crate) fn kept(&self, keys: &Keys, make: impl FnOnce(&Keys) -> Subset) -> Arc<Subset> {
        if let Some(subset) = self.kept.load().get(keys) {
            return Arc::clone(subset);
        }
        let subset = Arc::new(make(keys));
        self.kept.rcu(|kept| {
            if kept.len() >= KEPT {
                return Arc::clone(kept);
            }
            let mut more = HashMap::clone(kept);
            more.insert(keys.clone(), Arc::clone(&subset));
            Arc::new(more)
        });
        subset
    }

    /// All that is kept.
    pub(crate) fn all_kept(&self) -> Arc<HashMap<Keys, Arc<Subset>>> {
        self.kept.load_full()
    }

    /// Narrows the endpoints; no keys are plain ones. Ends at the router that leaves nobody.
    pub(crate) fn narrow<'s>(&self, keys: &[RouteKey], members: &'s [Member]) -> (Candidates<'s>, Vec<Step>) {
        let mut candidates = Candidates::all(members);
        let mut steps = Vec::new();
        for (at, router) in self.routers.iter().enumerate() {
            if candidates.is_empty() {
                break;
            }
            let before = candidates.len();
            router.narrow(keys.get(at).unwrap_or(&RouteKey::Plain), &mut candidates);
            let (after, reason) = (candidates.len(), candidates.take_reason());
            if after < before || reason.is_some() {
                steps.push(Step {
                    router: router.name().to_owned(),
                    before,
                    after,
                    reason,
                });
            }
        }
        (candidates, steps)
    }
}
