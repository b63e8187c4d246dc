//! Each feature of each crate compiles alone: features only add, and none may lean on another by accident.
//!
//! A loop of our own instead of cargo-hack: it is this short, and building the tool costs more than running it.
//! Pairs of features are not tried; what two features need together is covered by the default set and by all.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::{
    cargo::cargo,
    error::{Context as _, Error, Result},
    manifest, process,
    report::Outcome,
    workspace::Workspace,
};

const LIMIT: Duration = Duration::from_mins(20);

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    for package in packages(workspace)? {
        // All of them at once is what `lint` and the tests build.
        check(workspace, outcome, &package, "default", &[]);
        check(workspace, outcome, &package, "none", &["--no-default-features"]);
        for feature in &package.features {
            check(
                workspace,
                outcome,
                &package,
                feature,
                &["--no-default-features", "--features", feature],
            );
        }
    }
    Ok(())
}

struct Package {
    name: String,
    features: Vec<String>,
}

/// The packages that have features. Those are libraries at the root or one folder below it.
fn packages(workspace: &Workspace) -> Result<Vec<Package>> {
    let mut manifests = vec![workspace.root.join("Cargo.toml")];
    for entry in fs::read_dir(&workspace.root).context("cannot read the root folder")? {
        let folder = entry.context("cannot read the root folder")?.path();
        if folder.join("src/lib.rs").exists() {
            manifests.push(folder.join("Cargo.toml"));
        }
    }
    manifests.sort();
    let mut packages = Vec::new();
    for path in manifests {
        let text = fs::read_to_string(&path).context(format_args!("cannot read {}", path.display()))?;
        let features = manifest::features(&text);
        if !features.is_empty() {
            let name = manifest::package_name(&text).ok_or_else(|| nameless(&path))?;
            packages.push(Package { name, features });
        }
    }
    Ok(packages)
}

fn nameless(path: &Path) -> Error {
    Error::Failed(format!("{} has no package name", path.display()))
}

fn check(workspace: &Workspace, outcome: &mut Outcome, package: &Package, label: &str, args: &[&str]) {
    let mut command = cargo(workspace, "check");
    command.args(["--package", &package.name, "--lib"]).args(args);
    outcome.check(format_args!("{} with {label}", package.name), || {
        no_warnings(command)
    });
}

/// Dead code under half of the features is a warning, and a mistake.
fn no_warnings(command: Command) -> Result {
    let output = process::capture(command, LIMIT)?;
    if output.lines().any(|line| line.starts_with("warning:")) {
        return Err(Error::Failed(format!("warnings\n{output}")));
    }
    Ok(())
}
