//! `cargo xtask sim`: builds the simulation and runs it.

use std::{
    env::consts::EXE_EXTENSION,
    process::{Command, ExitCode},
    time::Duration,
};

use crate::{cargo::cargo, error::Result, process, workspace::Workspace};

const BUILD: Duration = Duration::from_mins(45);

/// # Errors
/// The program cannot be built or started.
pub(crate) fn run(args: &[String]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let mut build = cargo(&workspace, "build");
    build.args(["--release", "--package", "rpc-sim"]);
    process::run(build, BUILD)?;
    let program = workspace.target.join("release/sim").with_extension(EXE_EXTENSION);
    let mut command = Command::new(program);
    command.args(args).current_dir(&workspace.root);
    process::become_program(command)
}
