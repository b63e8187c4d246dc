//! What is simulated: fleets, faults, and what is to be read from them.

pub mod balancers;
pub mod black_hole;
pub mod fleet;
pub mod hops;
pub mod recovery;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::table::Table;

/// How a scenario is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Shorter, and with fewer services where there are a thousand.
    pub quick: bool,
    /// All that is random follows from it.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            quick: false,
            seed: 1,
        }
    }
}

impl Options {
    /// The same, shorter.
    pub fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    /// The same with another seed.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }
}

/// What a scenario has shown.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// The scenario.
    pub scenario: &'static str,
    /// For people.
    #[serde(skip)]
    pub tables: Vec<Table>,
    /// For programs: one value a row.
    pub records: Vec<serde_json::Value>,
    /// For the documentation: names of files, and what they hold.
    #[serde(skip)]
    pub plots: Vec<(String, String)>,
}

/// A scenario by its name.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// By what it is chosen.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(Options) -> Findings,
}

/// All there are.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "paper",
        about: "the testbed of the Prequal paper: machines shared with others, load from 50 % to 105 %",
        run: fleet::paper,
    },
    Scenario {
        name: "fleet",
        about: "the same with heavy-tailed work, one slow instance and one that fails at once",
        run: fleet::fleet,
    },
    Scenario {
        name: "black-hole",
        about: "one of ten instances fails at once: what share of the calls does it attract?",
        run: black_hole::run,
    },
    Scenario {
        name: "recovery",
        about: "one of five instances becomes 20 times slower, another fails: when is the 99th percentile back?",
        run: recovery::run,
    },
    Scenario {
        name: "hops",
        about: "a thousand services, calls ten hops deep: deadlines, lanes, amplification",
        run: hops::run,
    },
];

/// A row for programs.
fn record(row: &impl Serialize) -> serde_json::Value {
    // Plain structs of numbers and texts.
    serde_json::to_value(row).expect("a row has no keys but names")
}
