//! Licences, sources and bans, by cargo-deny. What is allowed stands in `deny.toml`.
//!
//! Advisories are not checked: their database is a git repository elsewhere, and CI must not depend on it. Those
//! that are known to concern us are listed in `deny.toml` with what came of them.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use crate::{cargo::cargo_unlocked, error::Result, process, report::Outcome, tools, workspace::Workspace};

const VERSION: &str = "0.20.2";
const BUILD: Duration = Duration::from_mins(30);

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    let mut command = Command::new(program(workspace)?);
    command.args(["--workspace", "--all-features", "--locked"]);
    command.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    command.current_dir(&workspace.root);
    outcome.check("cargo deny", || process::run(command, Duration::from_mins(10)));
    Ok(())
}

/// The pinned version, built if nobody has it.
fn program(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target_folder("tools")?;
    let ours = folder.join("bin/cargo-deny");
    for candidate in tools::find("cargo-deny").into_iter().chain([ours.clone()]) {
        if is_pinned(&candidate) {
            return Ok(candidate);
        }
    }
    let build = workspace.target.join("tools/build");
    let mut install = cargo_unlocked(workspace, "install");
    install.args(["--locked", "--force", "cargo-deny", "--version", VERSION]);
    install.arg("--root").arg(&folder).arg("--target-dir").arg(&build);
    // Unoptimised: it runs for a second, and takes minutes to optimise.
    install.arg("--debug").env("CARGO_PROFILE_DEV_DEBUG", "false");
    process::announce(&install);
    process::capture(install, BUILD)?;
    // Hundreds of megabytes that nobody needs again. If they stay, they only take space.
    let _ = fs::remove_dir_all(build);
    Ok(ours)
}

fn is_pinned(program: &PathBuf) -> bool {
    let mut command = Command::new(program);
    command.arg("--version");
    let printed = process::capture(command, Duration::from_mins(1));
    printed.is_ok_and(|line| line.trim() == format!("cargo-deny {VERSION}"))
}
