//! The other tenants of a machine.

use fastrand::Rng;

use crate::draw;

/// How much of a machine others use, as it changes.
///
/// A machine has a usual load, and the load of a moment lies around it: for an exponentially distributed time it stays,
/// then another is drawn. Machines differ in what is usual, so that some are nearly always crowded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Antagonist {
    /// What is usual, as a part of the machine.
    pub usual: f64,
    /// How far the load strays, as a part of the machine: deviation of a normal distribution.
    pub strays: f64,
    /// How long a load stays, on average, in seconds.
    pub holds: f64,
}

impl Antagonist {
    /// The next load, as a part of the machine, and how long it stays, in seconds.
    pub fn next(&self, rng: &mut Rng) -> (f64, f64) {
        let load = self.usual + self.strays * draw::normal(rng);
        (load.max(0.0), draw::exponential(rng, self.holds))
    }
}
