//! The fuzz targets compile. They are a workspace of their own, since they need a nightly compiler.

use std::{process::Command, time::Duration};

use crate::{
    cargo::cargo_of_toolchain,
    error::{Error, Result},
    process,
    report::Outcome,
    workspace::Workspace,
};

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    if !workspace.root.join("fuzz/Cargo.toml").exists() {
        println!("  there is no folder `fuzz`");
        return Ok(());
    }
    if !has_nightly() {
        return Err(Error::Missing(
            "no nightly toolchain (`rustup toolchain install nightly`)".to_owned(),
        ));
    }
    let mut command = cargo_of_toolchain(workspace, "nightly", "check");
    command
        .args(["--manifest-path", "fuzz/Cargo.toml", "--target-dir"])
        .arg(workspace.target.join("fuzz"));
    outcome.check("cargo check of fuzz", || {
        process::run(command, Duration::from_mins(30))
    });
    Ok(())
}

fn has_nightly() -> bool {
    let mut list = Command::new("rustup");
    list.args(["toolchain", "list"]);
    let listed = process::capture(list, Duration::from_mins(1)).unwrap_or_default();
    listed.lines().any(|line| line.starts_with("nightly"))
}
