//! Every example ends by itself, and says by its exit code whether all went well.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

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
    let programs = programs(&workspace.root)?;
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

/// The examples of the root package and of the members beside it, as paths below cargo's output folder: `examples/NAME`
/// for a file or folder of a package's own, `NAME` for a package.
fn programs(root: &Path) -> Result<Vec<String>> {
    let mut paths = entries(&root.join("examples"))?;
    for member in entries(root)? {
        let folder = member.join("examples");
        if member.join("Cargo.toml").exists() && folder.exists() {
            paths.extend(entries(&folder)?);
        }
    }
    let mut found = Vec::new();
    for path in paths {
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

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).context(format_args!("cannot read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry.context("cannot read a folder")?.path()));
    paths.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_members_count_as_well() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let found = programs(root).unwrap();
        for name in ["examples/quickstart", "examples/ten_thousand", "proto_first"] {
            assert!(
                found.iter().any(|found| found == name),
                "no `{name}` in {found:?}"
            );
        }
        assert!(!found.iter().any(|found| found == "interop"), "{found:?}");
    }
}
