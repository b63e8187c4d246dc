//! From a point between 0 and 1 to an endpoint, by weight.
//!
//! # How
//! Each endpoint has an interval as long as its share. Where a point lies is looked up in the ends of the intervals, from
//! where a guide table says that the search begins (Chen and Asau: "On Generating Random Variates from an Empirical
//! Distribution", 1974): as many entries as there are endpoints, so that a look-up takes two steps on average, whatever the
//! weights are and however many there are. Walker's alias method takes one step less, but tears an endpoint's interval
//! apart, and [`Weighted`](super::Weighted) needs it whole: that is what spreads an endpoint's turns evenly.
//!
//! # Weights that change
//! are taken over in place, word by word, while others look up. Each word by itself is an index of the list or an end of an
//! interval, and a look-up is bounded by what it read: who reads half of the old and half of the new table gets an endpoint
//! that is one place off. Nothing is swapped and nothing is locked.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use super::draws::{Draws, below};
use crate::Endpoint;

/// The shares of the endpoints of a list.
#[derive(Debug)]
pub(super) struct Shares {
    /// All have the same weight: nothing is looked up.
    even: AtomicBool,
    /// f32.
    mean: AtomicU32,
    /// What the rest was made of, f32.
    weights: Box<[AtomicU32]>,
    /// Where the interval of each endpoint ends; the whole is 2^32.
    ends: Box<[AtomicU32]>,
    /// The first endpoint whose interval reaches into a slot; one slot more than needed.
    guide: Box<[AtomicU32]>,
    /// How far a point is shifted to be a slot.
    shift: u32,
}

impl Shares {
    /// By the endpoints' weights.
    pub(super) fn new(endpoints: &[Arc<Endpoint>]) -> Self {
        Self::of(endpoints.iter().map(|endpoint| endpoint.weight()))
    }

    /// By weights from elsewhere, none of them negative.
    pub(super) fn of(weights: impl ExactSizeIterator<Item = f32>) -> Self {
        let n = weights.len();
        let words = |n: usize| (0..n).map(|_| AtomicU32::new(0)).collect();
        // At least two slots: a shift by all bits is none.
        let slots = n.next_power_of_two().clamp(2, 1 << 24);
        let shares = Self {
            even: AtomicBool::new(true),
            mean: AtomicU32::new(0),
            weights: words(n),
            ends: words(n),
            guide: words(slots + 1),
            shift: 32 - slots.trailing_zeros(),
        };
        for (slot, weight) in shares.weights.iter().zip(weights) {
            slot.store(weight.to_bits(), Ordering::Relaxed);
        }
        shares.lay_out();
        shares
    }

    /// Takes over what has changed of the weights.
    pub(super) fn refresh(&self, endpoints: &[Arc<Endpoint>]) {
        self.take_over(endpoints.iter().map(|endpoint| endpoint.weight()));
    }

    /// The same for weights from elsewhere.
    pub(super) fn take_over(&self, weights: impl Iterator<Item = f32>) {
        let mut changed = false;
        for (slot, weight) in self.weights.iter().zip(weights) {
            let weight = weight.to_bits();
            changed |= slot.swap(weight, Ordering::Relaxed) != weight;
        }
        if changed {
            self.lay_out();
        }
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "shares are at most 1"
    )]
    fn lay_out(&self) {
        let weights = || self.weights.iter().map(float);
        let first = self.weights.first().map_or(0.0, float);
        let sum: f64 = weights().map(f64::from).sum();
        let is_even = weights().all(|weight| weight.to_bits() == first.to_bits()) || sum <= 0.0;
        let mean = sum / self.weights.len().max(1) as f64;
        self.mean.store((mean as f32).to_bits(), Ordering::Relaxed);
        if is_even {
            self.even.store(true, Ordering::Relaxed);
            return;
        }
        let mut before = 0.0;
        let mut next_slot = 0;
        for (index, (end, weight)) in self.ends.iter().zip(weights()).enumerate() {
            before += f64::from(weight);
            // Saturates: the last one ends with the range.
            let place = (before / sum * 4_294_967_296.0) as u32;
            end.store(place, Ordering::Relaxed);
            // All slots that begin in it.
            while next_slot < self.guide.len() && (next_slot as u64) << self.shift < u64::from(place) {
                self.guide[next_slot].store(index as u32, Ordering::Relaxed);
                next_slot += 1;
            }
        }
        // The slot behind the last; and what rounding left over.
        let last = self.weights.iter().rposition(|weight| float(weight) > 0.0);
        for slot in &self.guide[next_slot..] {
            slot.store(last.unwrap_or(0) as u32, Ordering::Relaxed);
        }
        self.even.store(false, Ordering::Relaxed);
    }

    /// True if all have the same weight.
    #[inline]
    pub(super) fn are_even(&self) -> bool {
        self.even.load(Ordering::Relaxed)
    }

    /// The endpoint in whose interval a point of 2^32 lies.
    #[inline]
    pub(super) fn at(&self, point: u32) -> usize {
        if self.are_even() {
            return below(self.ends.len(), point);
        }
        let index = |slot: usize| self.guide[slot].load(Ordering::Relaxed) as usize;
        let slot = (point >> self.shift) as usize;
        let (mut low, mut high) = (index(slot), index(slot + 1));
        let is_behind = |at: usize| self.ends[at].load(Ordering::Relaxed) <= point;
        while low + LINEAR < high {
            let middle = low.midpoint(high);
            if is_behind(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        while low < high && is_behind(low) {
            low += 1;
        }
        low
    }

    /// Two endpoints, each drawn by weight. They differ where all have the same weight, and nearly always where none has most
    /// of it. One that has is often drawn twice: whoever looked for another one then would compare it with light ones, call
    /// after call, and give those far more than their shares. The list has two at least.
    #[inline]
    pub(super) fn two(&self, draws: &Draws) -> (usize, usize) {
        let (one, other) = draws.two();
        if self.are_even() {
            let n = self.ends.len();
            let (one, other) = (below(n, one), below(n - 1, other));
            return (one, other + usize::from(other >= one));
        }
        let (one, mut other) = (self.at(one), self.at(other));
        for _ in 0..REDRAWS {
            if other != one || self.has_most(one) {
                break;
            }
            other = self.at(draws.two().0);
        }
        (one, other)
    }

    #[allow(clippy::cast_precision_loss, reason = "a share")]
    fn has_most(&self, index: usize) -> bool {
        let sum = float(&self.mean) * self.weights.len() as f32;
        float(&self.weights[index]) > MOST * sum
    }

    /// What a number of calls at an endpoint would be if it had the mean weight.
    #[inline]
    #[allow(clippy::cast_precision_loss, reason = "far fewer than a float can tell apart")]
    pub(super) fn relative(&self, calls: u32, endpoint: &Endpoint) -> f32 {
        let calls = calls as f32;
        if self.are_even() {
            return calls;
        }
        let mean = f32::from_bits(self.mean.load(Ordering::Relaxed));
        let weight = endpoint.weight();
        // None that has no weight is drawn, but while weights change.
        if weight > 0.0 {
            calls * mean / weight
        } else {
            f32::MAX
        }
    }
}

/// Below that many, one after the other is faster than halving.
const LINEAR: usize = 8;
/// How often another endpoint is looked for.
const REDRAWS: u32 = 3;
/// The share of the weight above which none is.
const MOST: f32 = 0.75;

fn float(word: &AtomicU32) -> f32 {
    f32::from_bits(word.load(Ordering::Relaxed))
}
