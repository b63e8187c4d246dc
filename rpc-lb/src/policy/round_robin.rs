//! One after the other.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::Endpoint;

/// Gives each endpoint a call in turn. Weights are not looked at.
///
/// # Cost
/// One atomic addition. When endpoints come or go, the turn goes on from the same count in the new list; over a round
/// each endpoint has had its share.
#[derive(Debug)]
pub struct RoundRobin(AtomicUsize);

impl RoundRobin {
    /// Begins at any endpoint: many clients that start at once do not all begin at the same one.
    pub fn new() -> Self {
        Self::starting_at(fastrand::usize(..))
    }

    /// Begins at a certain one.
    pub const fn starting_at(turn: usize) -> Self {
        Self(AtomicUsize::new(turn))
    }

    /// The endpoint whose turn it is; `None` if there is none.
    pub fn pick<'e>(&self, endpoints: &'e [Arc<Endpoint>]) -> Option<&'e Arc<Endpoint>> {
        endpoints.get(self.next(endpoints.len())?)
    }

    /// The endpoint whose turn it is, or the next one after it that was not `tried`.
    pub fn pick_untried<'e>(
        &self,
        endpoints: &'e [Arc<Endpoint>],
        tried: &[Arc<Endpoint>],
    ) -> Option<&'e Arc<Endpoint>> {
        let (before, after) = endpoints.split_at(self.next(endpoints.len())?);
        let untried = |endpoint: &&Arc<Endpoint>| !tried.iter().any(|other| Arc::ptr_eq(other, endpoint));
        after.iter().chain(before).find(untried)
    }

    fn next(&self, endpoints: usize) -> Option<usize> {
        if endpoints == 0 {
            return None;
        }
        let turn = self.0.fetch_add(1, Ordering::Relaxed);
        // Dividing takes as long as all the rest.
        Some(if endpoints == 1 { 0 } else { turn % endpoints })
    }

    /// How often it was asked, modulo the word.
    pub(crate) fn turn(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for RoundRobin {
    fn default() -> Self {
        Self::new()
    }
}
