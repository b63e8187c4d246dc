//! Commands for cargo, all made alike so that they share what they build.

use std::{env, process::Command};

use crate::workspace::Workspace;

/// `cargo SUBCOMMAND`, in the root of the workspace. In CI the lock file must be complete.
pub(crate) fn cargo(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = cargo_unlocked(workspace, subcommand);
    if workspace.ci {
        command.arg("--locked");
    }
    command
}

/// The same for subcommands and folders where the lock file of the workspace has no say.
pub(crate) fn cargo_unlocked(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand);
    prepare(&mut command, workspace);
    command
}

/// `cargo +TOOLCHAIN SUBCOMMAND`, through rustup.
pub(crate) fn cargo_of_toolchain(workspace: &Workspace, toolchain: &str, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args([&format!("+{toolchain}"), subcommand]);
    prepare(&mut command, workspace);
    // Rustup and cargo name the toolchain that runs *this* program in these; the inner one differs.
    command
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("RUSTDOC")
        .env_remove("RUSTUP_TOOLCHAIN");
    command
}

fn prepare(command: &mut Command, workspace: &Workspace) {
    command
        .current_dir(&workspace.root)
        .env("CARGO_TERM_COLOR", "never");
    // `cargo run` describes this package in the environment. Build scripts that watch these variables (ring's does)
    // would run again each time a developer switches between cargo and xtask.
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(text);
        }
    }
}
