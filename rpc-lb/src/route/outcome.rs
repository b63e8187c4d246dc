//! What the routers left for some requests: one list, or parts of it with their shares.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::Relaxed},
};

use rpc_core::matcher::hash64;

use super::{Candidates, Step};
use crate::Subset;

/// What the routers left for some requests.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    whole: Choice,
    /// None where it is not divided.
    parts: Box<[Part]>,
    /// How often it was asked for in vain whether requests came for it.
    idle: AtomicU8,
}

/// A list, and what calls choose from.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    /// The numbers of its endpoints.
    pub(super) left: Arc<[u32]>,
    pub(super) subset: Arc<Subset>,
}

/// Hashed anew: the keys of a part must not be neighbours for the picker, too.
fn spread(affinity: u64) -> u32 {
    (hash64(&affinity.to_le_bytes(), 0) >> 32) as u32
}

#[derive(Debug)]
struct Part {
    choice: Choice,
    /// Draws up to this are its own, and those of the parts before.
    last: u32,
}

impl Outcome {
    pub(super) fn new<'s>(
        whole: Candidates<'s>,
        steps: Vec<Step>,
        parts: Vec<(f64, Candidates<'s>, Vec<Step>)>,
        mut make: impl FnMut(Candidates<'s>, Vec<Step>) -> Choice,
    ) -> Self {
        let is_sound = |share: f64| share.is_finite() && share > 0.0;
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(share, part, _)| is_sound(*share) && !part.is_empty())
            .collect();
        let total: f64 = parts.iter().map(|(share, ..)| share).sum();
        let mut below = 0.0;
        let mut parts: Box<[_]> = parts
            .into_iter()
            .map(|(share, part, steps)| {
                below += share;
                #[allow(clippy::cast_sign_loss, reason = "shares are positive")]
                let last = (below / total * f64::from(u32::MAX)) as u32;
                let choice = make(part, steps);
                Part { choice, last }
            })
            .filter(|part| !part.choice.subset.endpoints().is_empty())
            .collect();
        if let Some(part) = parts.last_mut() {
            part.last = u32::MAX;
        }
        Self {
            whole: make(whole, steps),
            parts,
            idle: AtomicU8::new(0),
        }
    }

    /// A request came for it.
    #[inline]
    pub(super) fn came(&self) {
        if self.idle.load(Relaxed) != 0 {
            self.idle.store(0, Relaxed);
        }
    }

    /// True if a request came for it while this was asked so often, not counting where it does not age.
    pub(super) fn came_within(&self, asked: u8, ages: bool) -> bool {
        let before = self.idle.load(Relaxed);
        if ages {
            self.idle.store(before.saturating_add(1), Relaxed);
        }
        before <= asked
    }

    /// All of it.
    pub(crate) fn whole(&self) -> &Arc<Subset> {
        &self.whole.subset
    }

    /// What one call chooses from. Calls of the same affinity choose from the same; those without one, from any.
    #[inline]
    pub(crate) fn draw(&self, affinity: impl FnOnce() -> Option<u64>) -> &Arc<Subset> {
        match &*self.parts {
            [] => self.whole(),
            [part] => &part.choice.subset,
            parts => Self::part(parts, affinity().map_or_else(|| fastrand::u32(..), spread)),
        }
    }

    fn part(parts: &[Part], draw: u32) -> &Arc<Subset> {
        let at = parts.partition_point(|part| part.last < draw);
        &parts[at.min(parts.len() - 1)].choice.subset
    }

    pub(super) fn subsets(&self) -> impl Iterator<Item = &Arc<Subset>> {
        let parts = self.parts.iter().map(|part| &part.choice.subset);
        parts.chain([&self.whole.subset])
    }

    /// The numbers of all of its endpoints, and of those of each part.
    pub(super) fn lists(&self) -> impl Iterator<Item = &[u32]> {
        let parts = self.parts.iter().map(|part| &*part.choice.left);
        std::iter::once(&*self.whole.left).chain(parts)
    }

    /// The choice among these endpoints that came about by these steps, if there is one.
    pub(super) fn choice(&self, left: &[u32], steps: &[Step]) -> Option<Choice> {
        let mut choices = self.parts.iter().map(|part| &part.choice).chain([&self.whole]);
        let is_it = |choice: &&Choice| *choice.left == *left && choice.subset.steps() == steps;
        choices.find(is_it).cloned()
    }
}
