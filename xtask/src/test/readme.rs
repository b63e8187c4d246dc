//! The README's page of code compiles and runs as printed, for somebody who depends on `rpc` from outside.

use std::{env, fs, path::Path, process::Command, time::Duration};

use crate::{
    cargo::cargo_unlocked,
    error::{Context as _, Result},
    markdown::{self, Block},
    process,
    report::Outcome,
    workspace::Workspace,
};

const BUILD: Duration = Duration::from_mins(30);
const RUN: Duration = Duration::from_mins(1);

const MANIFEST: &str = "Cargo.toml";
/// Where the README looks for the checkout.
const CHECKOUT: &str = "path = \"../rpc\"";

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    let readme = workspace.root.join("README.md");
    let text = fs::read_to_string(&readme).context(format_args!("cannot read {}", readme.display()))?;
    let blocks = markdown::marked_blocks(&text)?;
    for file in [MANIFEST, "main.rs"] {
        if !blocks.iter().any(|block| block.file == file) {
            return Err(format!("README.md has no code block marked `<!-- scratch: {file} -->`").into());
        }
    }
    let scratch = Scratch(env::temp_dir().join(format!("rpc-readme-{}", std::process::id())));
    outcome.check("README.md: main.rs", || check(workspace, &scratch.0, &blocks));
    Ok(())
}

fn check(workspace: &Workspace, folder: &Path, blocks: &[Block]) -> Result {
    write_crate(workspace, folder, blocks)?;
    // Not locked: the copied lock file names more than this crate needs.
    let mut build = cargo_unlocked(workspace, "build");
    build
        .current_dir(folder)
        .arg("--target-dir")
        .arg(&workspace.target);
    process::announce(&build);
    process::capture(build, BUILD)?;
    let mut program = Command::new(workspace.program("readme-scratch"));
    program.current_dir(folder);
    process::capture(program, RUN).map(drop)
}

fn write_crate(workspace: &Workspace, folder: &Path, blocks: &[Block]) -> Result {
    let write = |path: &Path, text: &str| {
        fs::write(path, text).context(format_args!("cannot write {}", path.display()))
    };
    let source = folder.join("src");
    fs::create_dir_all(&source).context(format_args!("cannot create {}", source.display()))?;
    for block in blocks {
        if block.file == MANIFEST {
            write(&folder.join(MANIFEST), &manifest(&block.code, &workspace.root)?)?;
        } else {
            write(&source.join(&block.file), &block.code)?;
        }
    }
    // The versions that everything else was tested with, and built with already. Cargo drops what is not needed.
    let lock = workspace.root.join("Cargo.lock");
    fs::copy(&lock, folder.join("Cargo.lock")).context(format_args!("cannot copy {}", lock.display()))?;
    Ok(())
}

/// The dependencies as printed, with this checkout in place of the reader's.
fn manifest(dependencies: &str, root: &Path) -> Result<String> {
    if !dependencies.contains(CHECKOUT) {
        return Err(format!("README.md: `{MANIFEST}` has no `{CHECKOUT}`").into());
    }
    let dependencies = dependencies.replace(CHECKOUT, &format!("path = \"{}\"", root.display()));
    Ok(format!(
        r#"[package]
name = "readme-scratch"
version = "0.0.0"
edition = "2024"

{dependencies}
# As in the workspace, so that what it built can be used again.
[profile.dev]
debug = "line-tables-only"

[workspace]
"#
    ))
}

/// A folder that goes away with the value.
struct Scratch(std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind lies in the temporary folder, and is somebody else's to sweep.
        let _ = fs::remove_dir_all(&self.0);
    }
}
