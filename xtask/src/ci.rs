//! `cargo xtask ci`: everything that guards the main branch.
#![expect(
    clippy::unnecessary_wraps,
    reason = "parts have one signature, whether they can break or not"
)]

mod deny;
mod docs;
mod features;
mod format;
mod fuzz;
mod lint;
mod minimal;
mod tree;

use std::process::ExitCode;

use crate::{
    error::Result,
    parts::{self, Part},
    test,
};

/// What stands before the tests: cheap checks first, then what shares its artefacts.
const PARTS: &[&Part] = &[
    &Part {
        name: "format",
        about: "rustfmt has nothing to change",
        run: format::run,
    },
    &Part {
        name: "tree",
        about: "features that must not be in the product",
        run: tree::run,
    },
    &Part {
        name: "lint",
        about: "clippy, all targets and features, no warnings",
        run: lint::run,
    },
    &Part {
        name: "features",
        about: "each feature of each crate alone, no warnings",
        run: features::run,
    },
    &Part {
        name: "docs",
        about: "the documentation builds without warnings",
        run: docs::run,
    },
    &Part {
        name: "minimal",
        about: "the oldest versions that the manifests allow",
        run: minimal::run,
    },
    &Part {
        name: "fuzz",
        about: "the fuzz targets compile",
        run: fuzz::run,
    },
    &Part {
        name: "deny",
        about: "licences, sources and bans (cargo-deny)",
        run: deny::run,
    },
];

/// # Errors
/// The flags cannot be understood.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    parts::run(&[PARTS, test::PARTS].concat(), args)
}
