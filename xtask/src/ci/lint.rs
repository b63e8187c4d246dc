//! Clippy finds nothing. Which lints there are, the workspace manifest says.

use std::time::Duration;

use crate::{cargo::cargo, error::Result, process, report::Outcome, workspace::Workspace};

/// The first are all targets, it says; those that take no part in a plain `cargo test` are none to cargo.
const TARGETS: &[&[&str]] = &[&["--all-targets"], &["--test", "etcd", "--test", "records"]];

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    for targets in TARGETS {
        let mut command = cargo(workspace, "clippy");
        command.args(["--workspace", "--all-features"]).args(*targets);
        // After `--`, where it concerns our own crates: in RUSTFLAGS it would have everything built once more.
        command.args(["--", "-D", "warnings"]);
        outcome.check(format_args!("cargo clippy {}", targets.join(" ")), || {
            process::run(command, Duration::from_mins(45))
        });
    }
    // A workspace of its own, for the features that its dependencies switch on.
    let mut command = cargo(workspace, "clippy");
    command
        .args(["--manifest-path", "benches/with-tarpc/Cargo.toml", "--target-dir"])
        .arg(&workspace.target)
        .args(["--", "-D", "warnings"]);
    outcome.check("cargo clippy of benches/with-tarpc", || {
        process::run(command, Duration::from_mins(45))
    });
    Ok(())
}
