//! rustfmt has nothing to change.

use std::time::Duration;

use crate::{cargo::cargo_unlocked, error::Result, process, report::Outcome, workspace::Workspace};

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    let mut command = cargo_unlocked(workspace, "fmt");
    command.args(["--all", "--check", "--", "--color", "never"]);
    outcome.check("cargo fmt", || process::run(command, Duration::from_mins(5)));
    let mut command = cargo_unlocked(workspace, "fmt");
    command.args(["--manifest-path", "benches/with-tarpc/Cargo.toml", "--check"]);
    command.args(["--", "--color", "never"]);
    outcome.check("cargo fmt of benches/with-tarpc", || {
        process::run(command, Duration::from_mins(5))
    });
    Ok(())
}
