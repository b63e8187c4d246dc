//! A table of slots.
//!
//! Each endpoint has an order of its own in which it likes the slots of a table; in turns each takes the next free one that
//! it likes best, the more often the more weight it has (Eisenbud and others: "Maglev", NSDI 2016; turns by weight as
//! Envoy's). A key's hash modulo the size says the slot.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use rpc_core::Call;
use serde::Deserialize;
use smallvec::SmallVec;

use super::{HashKey, LoadBound, bound::Keeper, hash, name};
use crate::{
    Endpoint,
    balance::{Balancer, InvalidBalancer, PickRequest, Picker},
};

/// Consistent hashing by Maglev's table. See the [module](super).
#[derive(Debug, Clone)]
pub struct Maglev {
    key: HashKey,
    size: u32,
    bound: LoadBound,
}

/// Settings of [`Maglev`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct MaglevConfig {
    /// What of a call is hashed. Required.
    pub key: HashKey,
    /// Slots of the table: a prime up to [`Maglev::MAX_SIZE`]. Default: [`Maglev::SIZE`].
    pub size: Option<u32>,
    /// The load bound: more than 1, or 0 for none. Default: 1.25.
    pub bound: Option<f32>,
}

impl Maglev {
    /// As settings say.
    ///
    /// # Errors
    /// If one is out of range, or the key is nothing that calls of a client can have.
    pub fn configured(config: &MaglevConfig) -> Result<Self, InvalidBalancer> {
        config.key.check()?;
        let size = config.size.unwrap_or(Self::SIZE);
        let bound = LoadBound::written(config.bound)?;
        let maglev = Self::new(config.key.clone()).with_bound(bound).with_size(size);
        maglev.ok_or_else(|| {
            let problem = format!("is {size}: a prime up to {} is wanted", Self::MAX_SIZE);
            InvalidBalancer::new("size", problem)
        })
    }

    /// Slots of a table, unless set otherwise: the paper's and Envoy's.
    pub const SIZE: u32 = 65_537;
    /// The most slots: Envoy's.
    pub const MAX_SIZE: u32 = 5_000_011;

    /// By a key, with [`SIZE`](Self::SIZE) slots and the usual load bound.
    pub fn new(key: HashKey) -> Self {
        Self {
            key,
            size: Self::SIZE,
            bound: LoadBound::default(),
        }
    }

    /// Sets the number of slots, which should be a hundred times that of the endpoints. `None` if it is no prime or larger than
    /// [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn with_size(mut self, size: u32) -> Option<Self> {
        self.size = size;
        (size <= Self::MAX_SIZE && is_prime(size)).then_some(self)
    }

    /// Sets the load bound.
    pub fn with_bound(mut self, bound: LoadBound) -> Self {
        self.bound = bound;
        self
    }
}

impl Balancer for Maglev {
    fn name(&self) -> &'static str {
        "maglev"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Table {
            key: self.key.clone(),
            slots: fill(endpoints, self.size),
            keeper: Keeper::new(self.bound),
        })
    }

    fn check(&self) -> Result<(), InvalidBalancer> {
        self.key.check()
    }

    fn needs_latency(&self) -> bool {
        false
    }

    fn affinity(&self, call: &Call<'_>) -> Option<u64> {
        self.key.hash(call)
    }
}

#[derive(Debug)]
struct Table {
    key: HashKey,
    slots: Box<[u32]>,
    keeper: Keeper,
}

/// How many other slots of a key are looked at for one whose endpoint has room.
const TRIES: u64 = 64;

impl Picker for Table {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let hash = self.key.hash(request.call).unwrap_or_else(|| fastrand::u64(..));
        self.keeper.look(request.endpoints);
        let first = self.slot(hash, 0);
        let mut skipped = Skipped::of(request.attempt);
        for turn in 0..TRIES {
            let index = self.slot(hash, turn);
            if skipped.passes(index) && self.keeper.has_room(&request.endpoints[index]) {
                return index;
            }
        }
        first
    }
}

impl Table {
    /// The endpoint that a key has in its n-th turn.
    #[allow(clippy::cast_possible_truncation, reason = "less than the number of slots")]
    fn slot(&self, hash: u64, turn: u64) -> usize {
        // The first is the plain one; the others have nothing to do with each other.
        let hash = if turn == 0 {
            hash
        } else {
            super::hash(&turn.to_le_bytes(), hash)
        };
        self.slots[(hash % self.slots.len() as u64) as usize] as usize
    }
}

/// The endpoints that other attempts had.
struct Skipped {
    left: u32,
    seen: SmallVec<[usize; 8]>,
}

impl Skipped {
    fn of(attempt: u32) -> Self {
        Self {
            left: attempt,
            seen: SmallVec::new(),
        }
    }

    fn passes(&mut self, index: usize) -> bool {
        if self.seen.contains(&index) {
            return false;
        }
        if self.left == 0 {
            return true;
        }
        self.left -= 1;
        self.seen.push(index);
        false
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "endpoints and slots are fewer than 2^32"
)]
fn fill(endpoints: &[Arc<Endpoint>], size: u32) -> Box<[u32]> {
    struct Host {
        index: u32,
        /// Rounds from one turn to the next.
        every: f64,
        turns: f64,
        place: u64,
        skip: u64,
    }
    const FREE: u32 = u32::MAX;
    let size = u64::from(size);
    let instances: Vec<_> = endpoints.iter().map(|endpoint| endpoint.instance()).collect();
    // Whoever may be called has a slot.
    let weight = |at: usize| f64::from(instances[at].weight.max(1));
    let heaviest = (0..endpoints.len()).map(weight).fold(1.0, f64::max);
    let mut hosts: Vec<_> = endpoints
        .iter()
        .enumerate()
        .map(|(index, endpoint)| {
            let name = name(endpoint).as_bytes();
            Host {
                index: index as u32,
                every: heaviest / weight(index),
                turns: 0.0,
                place: hash(name, 0) % size,
                skip: hash(name, 1) % (size - 1) + 1,
            }
        })
        .collect();
    // In an order that all clients share.
    hosts.sort_by(|one, other| {
        name(&endpoints[one.index as usize]).cmp(name(&endpoints[other.index as usize]))
    });
    let mut slots = vec![FREE; size as usize];
    // Whose turn is next: by round, and in a round in order. The heaviest has a turn in each round, the others as seldom as
    // their weights are small; a round in which most have none is not walked through.
    let mut next: BinaryHeap<_> = (0..hosts.len()).map(|at| Reverse((1_u64, at))).collect();
    for _ in 0..slots.len() {
        let Some(Reverse((round, at))) = next.pop() else {
            break;
        };
        let host = &mut hosts[at];
        while slots[host.place as usize] != FREE {
            host.place = (host.place + host.skip) % size;
        }
        slots[host.place as usize] = host.index;
        host.place = (host.place + host.skip) % size;
        host.turns += 1.0;
        let due = (host.turns * host.every).ceil() as u64;
        next.push(Reverse((due.max(round + 1), at)));
    }
    slots.into()
}

fn is_prime(number: u32) -> bool {
    let has_no_factor = |factor: u32| !number.is_multiple_of(factor);
    number >= 3
        && has_no_factor(2)
        && (3..)
            .step_by(2)
            .take_while(|f| f * f <= number)
            .all(has_no_factor)
}
