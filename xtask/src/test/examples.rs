//! Every example ends by itself, and says by its exit code whether all went well.

use std::{ffi::OsStr, fs, path::Path, process::Command, sync::OnceLock, time::Duration};

use crate::{
    cargo::cargo,
    error::{Context as _, Result},
    process,
    report::Outcome,
    workspace::Workspace,
};

const BUILD: Duration = Duration::from_mins(45);
const RUN: Duration = Duration::from_mins(1);
/// Programs of the part `interop`: a server that does not end by itself, and its client.
const NOT_EXAMPLES: &[&str] = &["interop"];

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    build(workspace)?;
    let programs = programs(&workspace.root.join("examples"))?;
    if programs.is_empty() {
        return Err("there are no examples".into());
    }
    for program in programs {
        let mut command = Command::new(workspace.program(&program));
        command.current_dir(&workspace.root);
        outcome.check(program, || process::capture(command, RUN).map(drop));
    }
    Ok(())
}

/// Builds all programs of the workspace, once a run.
///
/// The whole workspace and all features, although a few packages would do: cargo unites the features of what it is
/// asked to build, and another selection would mean other features and building everything once more.
pub(super) fn build(workspace: &Workspace) -> Result {
    static BUILT: OnceLock<()> = OnceLock::new();
    if BUILT.get().is_none() {
        let mut command = cargo(workspace, "build");
        command.args(["--workspace", "--all-features", "--bins", "--examples"]);
        process::run(command, BUILD)?;
        let _ = BUILT.set(());
    }
    Ok(())
}

/// What is in the folder, as paths below cargo's output folder: `examples/NAME` for a file or folder of the root
/// package, `NAME` for a package of its own.
fn programs(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).context(format_args!("cannot read {}", folder.display()))? {
        let path = entry.context("cannot read a folder")?.path();
        let Some(name) = path.file_stem().and_then(OsStr::to_str) else {
            continue;
        };
        if NOT_EXAMPLES.contains(&name) {
            continue;
        }
        if path.join("Cargo.toml").exists() {
            found.push(name.to_owned());
        } else if path.extension() == Some(OsStr::new("rs")) || path.join("main.rs").exists() {
            found.push(format!("examples/{name}"));
        }
    }
    found.sort();
    Ok(found)
}
