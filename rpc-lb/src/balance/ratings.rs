//! What a balancer makes of the endpoints of a list.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use crate::Endpoint;

/// A rating of each endpoint of a list, above 0, as of the last refresh: it depends on the others of the list.
///
/// Lists change, and what is new is rated within a second: until then an endpoint has the rating that it got last, in whichever list.
#[derive(Debug)]
pub(super) struct Ratings(Box<[AtomicU32]>);

impl Ratings {
    pub(super) fn new(endpoints: &[Arc<Endpoint>]) -> Self {
        let rating = |endpoint: &Arc<Endpoint>| endpoint.stats().rating().unwrap_or(0.0);
        let word = |endpoint| AtomicU32::new(rating(endpoint).to_bits());
        Self(endpoints.iter().map(word).collect())
    }

    /// `None` if the endpoint is not rated yet.
    #[inline]
    pub(super) fn at(&self, index: usize) -> Option<f32> {
        let rating = f32::from_bits(self.0.get(index)?.load(Ordering::Relaxed));
        (rating > 0.0).then_some(rating)
    }

    /// Rates them all anew.
    pub(super) fn refresh(&self, endpoints: &[Arc<Endpoint>], ratings: impl Iterator<Item = f32>) {
        for ((word, endpoint), rating) in self.0.iter().zip(endpoints).zip(ratings) {
            word.store(rating.to_bits(), Ordering::Relaxed);
            endpoint.stats().set_rating(rating);
        }
    }
}
