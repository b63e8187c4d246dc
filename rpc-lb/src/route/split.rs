//! Several destinations, each with its share of the requests.

use std::ops::RangeInclusive;

use rpc_core::{
    Call,
    matcher::{Subject, hash64},
};
use serde::{Deserialize, Serialize};

use super::{RouteError, TargetMatcher, error};

/// Several destinations, each with its share of the requests.
///
/// Which one a request goes to, the hash of something in it says: requests in which that is the same go to the same
/// destination. By default it is a number of the request's own, so that the shares are those of all requests, and an attempt
/// that is made again goes where the one before went.
///
/// The first destination has the hashes from the beginning of the range, and so on: when its share grows, it keeps those
/// that it had. So write the canary first.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    destinations: Vec<Destination>,
    by: Subject,
    seed: u64,
}

/// One of the destinations of a [`Split`]: `{ weight = 5, to = { version = "v2" } }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Its share, relative to the others'.
    pub weight: u32,
    /// Which instances it has.
    pub to: TargetMatcher,
}

impl Split {
    /// How many destinations there may be.
    pub const DESTINATIONS: RangeInclusive<usize> = 1..=64;

    /// Destinations with their weights. `salt` makes the choice another one than those that are made by the same value
    /// elsewhere.
    pub(super) fn new(
        destinations: Vec<Destination>,
        by: Option<Subject>,
        salt: &str,
    ) -> Result<Self, RouteError> {
        let (min, max) = Self::DESTINATIONS.into_inner();
        if !Self::DESTINATIONS.contains(&destinations.len()) {
            return Err(RouteError::new(
                "",
                format!("has {} destinations: write {min} to {max}", destinations.len()),
            ));
        }
        for (at, destination) in destinations.iter().enumerate() {
            let check = destination.to.check();
            check.map_err(|error| error.within("to").within(&format!("[{at}]")))?;
        }
        if destinations.iter().all(|destination| destination.weight == 0) {
            return Err(RouteError::new("", "all weights are 0: one must be more"));
        }
        error::check_text("salt", salt)?;
        if let Some(by) = &by {
            error::check_subject("by", by)?;
        }
        Ok(Self {
            destinations,
            by: by.unwrap_or(Subject::Request),
            seed: hash64(salt.as_bytes(), 0),
        })
    }

    /// The destinations.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// What in a request says where it goes.
    pub fn by(&self) -> &Subject {
        &self.by
    }

    /// The number of the destination of a call.
    pub(super) fn pick(&self, call: &Call<'_>) -> usize {
        let hash = |subject: &Subject| subject.with_bytes(call, |bytes| hash64(bytes, self.seed));
        let hash = hash(&self.by)
            .or_else(|| hash(&Subject::Request))
            .unwrap_or_default();
        let total: u64 = self.weights().sum();
        let mut point = ((u128::from(hash) * u128::from(total)) >> 64) as u64;
        for (at, weight) in self.weights().enumerate() {
            match point.checked_sub(weight) {
                Some(rest) => point = rest,
                None => return at,
            }
        }
        0
    }

    fn weights(&self) -> impl Iterator<Item = u64> {
        self.destinations.iter().map(|to| u64::from(to.weight))
    }
}
