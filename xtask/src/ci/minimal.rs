//! The oldest versions that the manifests allow are enough: the bounds in `[workspace.dependencies]` are true.
//!
//! Our direct dependencies at their minimum, everything below them as usual: what others claim about their own
//! dependencies is theirs to keep true. Choosing versions that way is an unstable flag of cargo, so the stable
//! one is told to take it; what is then compiled, stable compiles without help.

use std::{fs, path::Path, process::Command, time::Duration};

use crate::{
    cargo::cargo_unlocked,
    error::{Context as _, Result},
    process,
    report::Outcome,
    workspace::Workspace,
};

const BUILD: Duration = Duration::from_mins(45);
const SHORT: Duration = Duration::from_mins(5);

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    // A copy: the lock file changes, and the checkout is the user's.
    let copy = Workspace {
        root: workspace.target_folder("minimal/tree")?,
        target: workspace.target_folder("minimal/build")?,
        ci: false,
    };
    copy_files(&workspace.root, &copy.root)?;
    outcome.check("cargo check with minimal versions", || {
        let mut update = cargo_unlocked(&copy, "update");
        update
            .args(["--quiet", "-Z", "direct-minimal-versions"])
            .env("RUSTC_BOOTSTRAP", "1");
        process::run(update, SHORT)?;
        let mut check = cargo_unlocked(&copy, "check");
        check
            .args(["--workspace", "--all-features", "--locked", "--target-dir"])
            .arg(&copy.target);
        process::run(check, BUILD)
    });
    Ok(())
}

/// Copies what git knows and what it would take, and removes what is gone.
fn copy_files(from: &Path, to: &Path) -> Result {
    if to.exists() {
        fs::remove_dir_all(to).context(format_args!("cannot empty {}", to.display()))?;
    }
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(from);
    for name in process::capture(list, SHORT)?.lines() {
        let (source, target) = (from.join(name), to.join(name));
        // Listed, and deleted in the checkout.
        let Ok(metadata) = fs::metadata(&source) else {
            continue;
        };
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).context(format_args!("cannot create {}", folder.display()))?;
        }
        fs::copy(&source, &target).context(format_args!("cannot copy {}", source.display()))?;
        // Copies that keep their time do not look changed to cargo, and are not compiled again for nothing.
        if let Ok(modified) = metadata.modified() {
            let file = fs::File::options().append(true).open(&target);
            file.and_then(|file| file.set_modified(modified))
                .context(format_args!("cannot date {}", target.display()))?;
        }
    }
    Ok(())
}
