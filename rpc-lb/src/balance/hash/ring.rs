//! A ring of points.
//!
//! Each endpoint has points on a ring of 2^64 places, at the hashes of its id and a number; a key belongs to the first
//! point that follows its own hash (Karger and others: "Consistent Hashing and Random Trees", 1997). The number of points is
//! by weight.
//!
//! A pick finds the point through an index by the leading bits, which has about as many entries as there are points: no
//! binary search through what the cache does not hold.

use std::sync::Arc;

use rpc_core::Call;
use serde::Deserialize;
use smallvec::SmallVec;

use super::{HashKey, LoadBound, bound::Keeper, hash, name};
use crate::{
    Endpoint,
    balance::{Balancer, InvalidBalancer, PickRequest, Picker},
};

/// Consistent hashing by a ring. See the [module](super).
#[derive(Debug, Clone)]
pub struct RingHash {
    key: HashKey,
    points: u32,
    bound: LoadBound,
}

/// Settings of [`RingHash`].
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RingHashConfig {
    /// What of a call is hashed. Required.
    pub key: HashKey,
    /// Points of an endpoint of mean weight: 1 to 65,536. Default: [`RingHash::POINTS`].
    pub points: Option<u32>,
    /// The load bound: more than 1, or 0 for none. Default: 1.25.
    pub bound: Option<f32>,
}

impl RingHash {
    /// As settings say.
    ///
    /// # Errors
    /// If one is out of range, or the key is nothing that calls of a client can have.
    pub fn configured(config: &RingHashConfig) -> Result<Self, InvalidBalancer> {
        config.key.check()?;
        let points = config.points.unwrap_or(Self::POINTS);
        if !(1..=65_536).contains(&points) {
            let problem = format!("is {points}: 1 to 65536 are wanted");
            return Err(InvalidBalancer::new("points", problem));
        }
        let bound = LoadBound::written(config.bound)?;
        Ok(Self::new(config.key.clone())
            .with_points(points)
            .with_bound(bound))
    }

    /// Points of an endpoint of mean weight: not fewer than half of them, and not more. (Dubbo's 160 lies between.)
    pub const POINTS: u32 = 256;
    /// The most points of a ring; an endpoint has fewer then.
    pub const MAX_POINTS: usize = 1 << 18;

    /// By a key, with [`POINTS`](Self::POINTS) points an endpoint and the usual load bound.
    pub fn new(key: HashKey) -> Self {
        Self {
            key,
            points: Self::POINTS,
            bound: LoadBound::default(),
        }
    }

    /// Sets how many points an endpoint of mean weight has at most: at least 1. It has half of them at least. More points,
    /// evener shares: they differ by some 100 / sqrt(points) percent.
    pub fn with_points(mut self, points: u32) -> Self {
        self.points = points.max(1);
        self
    }

    /// Sets the load bound.
    pub fn with_bound(mut self, bound: LoadBound) -> Self {
        self.bound = bound;
        self
    }
}

impl Balancer for RingHash {
    fn name(&self) -> &'static str {
        "ring_hash"
    }

    fn picker(&self, endpoints: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(Ring {
            key: self.key.clone(),
            points: Points::new(endpoints, self.points),
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
struct Ring {
    key: HashKey,
    points: Points,
    keeper: Keeper,
}

/// How many endpoints are looked at for one that has room.
const TRIES: usize = 64;

impl Picker for Ring {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let hash = self.key.hash(request.call).unwrap_or_else(|| fastrand::u64(..));
        self.keeper.look(request.endpoints);
        let mut before = SmallVec::<[usize; 16]>::new();
        let mut found = None;
        let mut skip = request.attempt as usize;
        for index in self.points.from(hash) {
            if skip == 0 && before.is_empty() && self.keeper.has_room(&request.endpoints[index]) {
                return index;
            }
            // Each endpoint has many points: what was looked at already is another one only once.
            if before.contains(&index) {
                continue;
            }
            found.get_or_insert(index);
            if skip > 0 {
                skip -= 1;
            } else if self.keeper.has_room(&request.endpoints[index]) {
                return index;
            }
            before.push(index);
            if before.len() == request.endpoints.len().min(TRIES) {
                break;
            }
        }
        // All are full by a mean that has grown since: its own one then.
        found.unwrap_or(0)
    }
}

#[derive(Debug)]
struct Points {
    /// Sorted by hash.
    sorted: Box<[(u64, u32)]>,
    /// Where the points of each value of the leading bits begin.
    index: Box<[u32]>,
    shift: u32,
}

impl Points {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "bounded by the number of points"
    )]
    fn new(endpoints: &[Arc<Endpoint>], points: u32) -> Self {
        let weight = |endpoint: &Endpoint| f64::from(endpoint.instance().weight.max(1));
        let weights: f64 = endpoints.iter().map(|endpoint| weight(endpoint)).sum();
        let total = (endpoints.len() * points as usize).min(RingHash::MAX_POINTS) as f64;
        // Points of a unit of weight, a power of two: if one weight changes, the others' points stay.
        let scale = (total / weights).log2().floor().exp2();
        let mut all = Vec::with_capacity(total as usize + endpoints.len());
        for (index, endpoint) in endpoints.iter().enumerate() {
            // Whoever may be called is somewhere.
            let own = (weight(endpoint) * scale).round().max(1.0) as u64;
            let seed = hash(name(endpoint).as_bytes(), 0);
            all.extend((0..own).map(|point| (hash(&point.to_le_bytes(), seed), index as u32)));
        }
        // Of two at one place that of the smaller id comes first, for every client.
        all.sort_unstable_by(|(one, a), (other, b)| {
            one.cmp(other)
                .then_with(|| name(&endpoints[*a as usize]).cmp(name(&endpoints[*b as usize])))
        });
        let bits = all.len().next_power_of_two().trailing_zeros().max(1);
        let shift = u64::BITS - bits;
        let mut index = vec![0; (1 << bits) + 1];
        for (hash, _) in &all {
            index[(hash >> shift) as usize + 1] += 1;
        }
        for at in 1..index.len() {
            index[at] += index[at - 1];
        }
        Self {
            sorted: all.into(),
            index: index.into(),
            shift,
        }
    }

    /// The endpoints of the points that follow a hash, once around.
    #[allow(clippy::cast_possible_truncation, reason = "the leading bits alone are left")]
    fn from(&self, hash: u64) -> impl Iterator<Item = usize> {
        let bucket = (hash >> self.shift) as usize;
        let mut at = self.index[bucket] as usize;
        let end = self.index[bucket + 1] as usize;
        while at < end && self.sorted[at].0 < hash {
            at += 1;
        }
        let (before, after) = self.sorted.split_at(at);
        after.iter().chain(before).map(|(_, index)| *index as usize)
    }
}
