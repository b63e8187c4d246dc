//! Random durations.

use std::f64::consts::TAU;

use fastrand::Rng;

/// How much work a call is, in seconds of one core of speed 1.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Work {
    /// Always the same.
    Fixed(f64),
    /// Memoryless.
    Exponential {
        /// Its mean.
        mean: f64,
    },
    /// A normal distribution as wide as its mean, cut off at zero: what the testbed of the Prequal paper asks of its
    /// servers.
    Normal {
        /// Mean and deviation before the cut.
        mean: f64,
    },
    /// Most calls are short, and some are very long.
    LogNormal {
        /// Its mean, which is `exp(sigma²/2)` times its median.
        mean: f64,
        /// Deviation of the logarithm. With 1, the 99th percentile is 10 times the median.
        sigma: f64,
    },
    /// A power law between two bounds: the long calls are a large part of all work.
    Pareto {
        /// The shortest.
        least: f64,
        /// The longest.
        most: f64,
        /// How fast the tail falls; not 1. The smaller, the heavier.
        shape: f64,
    },
}

impl Work {
    /// The mean.
    pub fn mean(self) -> f64 {
        match self {
            Self::Fixed(seconds) => seconds,
            Self::Exponential { mean } | Self::LogNormal { mean, .. } => mean,
            // E max(0, X) of a normal X with deviation = mean: mean * (Phi(1) + phi(1)).
            Self::Normal { mean } => mean * 1.083_315_5,
            Self::Pareto { least, most, shape } => {
                let cut = 1.0 - (least / most).powf(shape);
                shape / (shape - 1.0) * (least - least.powf(shape) * most.powf(1.0 - shape)) / cut
            }
        }
    }

    /// One call's work.
    pub fn draw(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Fixed(seconds) => seconds,
            Self::Exponential { mean } => exponential(rng, mean),
            Self::Normal { mean } => (mean + mean * normal(rng)).max(0.0),
            Self::LogNormal { mean, sigma } => mean * (sigma * normal(rng) - sigma * sigma / 2.0).exp(),
            Self::Pareto { least, most, shape } => {
                let cut = 1.0 - (least / most).powf(shape);
                least * (1.0 - rng.f64() * cut).powf(-1.0 / shape)
            }
        }
    }
}

/// The time until the next event of a Poisson process with this mean.
pub fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    // `f64` is below 1, so that the logarithm is finite.
    -mean * (1.0 - rng.f64()).ln()
}

/// Normal with mean 0 and deviation 1, by the transform of Box and Muller (1958).
pub fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (TAU * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_what_is_drawn_on_average() {
        let all = [
            Work::Fixed(0.02),
            Work::Exponential { mean: 0.02 },
            Work::Normal { mean: 0.02 },
            Work::LogNormal {
                mean: 0.02,
                sigma: 1.0,
            },
            Work::Pareto {
                least: 0.002,
                most: 2.0,
                shape: 1.5,
            },
        ];
        for work in all {
            let mut rng = Rng::with_seed(7);
            let count = 400_000;
            let total: f64 = (0..count).map(|_| work.draw(&mut rng)).sum();
            let off = total / f64::from(count) / work.mean() - 1.0;
            assert!(off.abs() < 0.02, "{work:?}: {off}");
        }
    }

    #[test]
    fn a_bounded_power_law_keeps_its_bounds() {
        let mut rng = Rng::with_seed(3);
        let work = Work::Pareto {
            least: 1.0,
            most: 50.0,
            shape: 1.2,
        };
        for _ in 0..100_000 {
            let drawn = work.draw(&mut rng);
            assert!((1.0..=50.000_001).contains(&drawn), "{drawn}");
        }
    }
}
