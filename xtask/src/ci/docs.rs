//! The documentation builds, and no link in it leads nowhere.

use std::time::Duration;

use crate::{cargo::cargo, error::Result, process, report::Outcome, workspace::Workspace};

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    let mut command = cargo(workspace, "doc");
    command
        .args(["--no-deps", "--workspace", "--all-features"])
        .env("RUSTDOCFLAGS", "-D warnings");
    outcome.check("cargo doc", || process::run(command, Duration::from_mins(30)));
    Ok(())
}
