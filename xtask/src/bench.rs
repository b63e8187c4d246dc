//! `cargo xtask bench`: builds the measuring program and becomes it.

use std::{
    env::consts::EXE_EXTENSION,
    process::{Command, ExitCode},
    time::Duration,
};

use crate::{cargo::cargo, error::Result, process, workspace::Workspace};

/// Thin LTO over everything, from nothing, on a slow machine.
const BUILD: Duration = Duration::from_hours(1);

/// # Errors
/// The program cannot be built or started.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let mut build = cargo(&workspace, "build");
    // Alone: the features that other members ask for must not colour what is measured.
    build.args(["--profile", "bench", "--package", "benches"]);
    process::run(build, BUILD)?;
    // Cargo puts the profile `bench` there, not into a folder of its own name.
    let mut benches = Command::new(
        workspace
            .target
            .join("release/benches")
            .with_extension(EXE_EXTENSION),
    );
    benches.args(args).current_dir(&workspace.root);
    process::become_program(benches)
}
