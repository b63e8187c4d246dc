//! Where balancers have their random numbers from.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Random numbers, without a lock.
///
/// In production each thread has a generator of its own (`fastrand`'s). With a seed they are a counter, hashed: whoever
/// picks in the same order gets the same endpoints. The pickers of one balancer share the counter, so that another list
/// goes on where the one before stopped.
#[derive(Debug, Clone, Default)]
pub(super) struct Draws(Option<Arc<AtomicU64>>);

/// The increment of `SplitMix64`: 2^64 by the golden ratio, odd.
pub(super) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Draws {
    pub(super) fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(seed))))
    }

    #[inline]
    pub(super) fn next(&self) -> u64 {
        match &self.0 {
            None => fastrand::u64(..),
            Some(state) => mix(state.fetch_add(GOLDEN, Ordering::Relaxed)),
        }
    }

    /// Two numbers of half the width.
    #[inline]
    pub(super) fn two(&self) -> (u32, u32) {
        let drawn = self.next();
        ((drawn >> 32) as u32, drawn as u32)
    }

    /// From 0 to 1, 1 excluded.
    #[allow(clippy::cast_precision_loss, reason = "as many bits as the mantissa has")]
    pub(super) fn unit(&self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// `SplitMix64` (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014): a bijection, so that a
/// counter makes numbers that do not repeat.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A number below `n`, from one that is spread over all of its range.
#[inline]
pub(super) fn below(n: usize, point: u32) -> usize {
    ((n as u64 * u64::from(point)) >> 32) as usize
}
