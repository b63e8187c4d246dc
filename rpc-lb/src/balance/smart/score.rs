//! Points that an operator can read.

use std::fmt;

/// What an endpoint is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartKind {
    /// The CPU, or the load as the application sees it: reported.
    Cpu,
    /// CPUs that nobody uses, beside those of its peers: reported.
    Cores,
    /// Memory: reported.
    Memory,
    /// The mean latency, beside its peers'.
    Mean,
    /// The latency that 99 of 100 calls stay below, beside its peers'.
    Tp99,
    /// The latency that 999 of 1000 calls stay below, beside its peers'.
    Tp999,
    /// Calls that failed.
    Errors,
    /// Calls in flight, beside its peers': those that it reports, else those of this client.
    InFlight,
    /// Whether it has all of its weight: less while it is young or not quite well.
    State,
}

impl PartKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Cores,
        Self::Memory,
        Self::Mean,
        Self::Tp99,
        Self::Tp999,
        Self::Errors,
        Self::InFlight,
        Self::State,
    ];

    /// As it is called in settings and in texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cores => "cores",
            Self::Memory => "memory",
            Self::Mean => "mean",
            Self::Tp99 => "tp99",
            Self::Tp999 => "tp999",
            Self::Errors => "errors",
            Self::InFlight => "in_flight",
            Self::State => "state",
        }
    }
}

/// One part of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// What is judged.
    pub kind: PartKind,
    /// The points that it got.
    pub points: f32,
    /// The points that it could have got.
    pub of: f32,
}

/// How good an endpoint is, in points out of ten.
///
/// Parts of which nothing is known are left out, and the others scaled, so that there are always ten to be had.
#[derive(Debug, Clone, PartialEq)]
pub struct Score(Vec<Part>);

impl Score {
    /// From 0 to 10.
    pub fn total(&self) -> f32 {
        self.0.iter().map(|part| part.points).sum()
    }

    /// The same, as if the endpoint had all of its weight.
    pub(super) fn without_state(&self) -> f32 {
        let missing = self.0.iter().filter(|part| part.kind == PartKind::State);
        self.total() + missing.map(|part| part.of - part.points).sum::<f32>()
    }

    /// What it is made of.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// Of how good each part is, from 0 to 1, and what it counts.
    pub(super) fn new(parts: impl Iterator<Item = (PartKind, Option<f32>, f32)>) -> Self {
        let known = parts.filter_map(|(kind, good, of)| {
            let points = good?.clamp(0.0, 1.0) * of;
            (of > 0.0).then_some(Part { kind, points, of })
        });
        let mut parts: Vec<_> = known.collect();
        let sum: f32 = parts.iter().map(|part| part.of).sum();
        for part in &mut parts {
            part.points *= 10.0 / sum;
            part.of *= 10.0 / sum;
        }
        Self(parts)
    }
}

impl fmt::Display for Score {
    /// `7.4 of 10: cpu 1.8/2.0, errors 2.0/2.0, ...`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} of 10", self.total())?;
        for (n, Part { kind, points, of }) in self.0.iter().enumerate() {
            let before = if n == 0 { ":" } else { "," };
            write!(f, "{before} {} {points:.1}/{of:.1}", kind.name())?;
        }
        Ok(())
    }
}
