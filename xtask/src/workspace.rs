//! Where things are.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::error::{Context as _, Result};

/// The checkout this program works on, and what the environment says about the run.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder. Everything that is built or downloaded goes below it.
    pub(crate) target: PathBuf,
    /// Nothing may be skipped.
    pub(crate) ci: bool,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let member = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = member
            .parent()
            .ok_or("xtask is not inside a workspace")?
            .to_owned();
        // This program is `<target>/<profile>/xtask`: no flag, variable or setting of cargo need be asked.
        let executable = env::current_exe().context("cannot tell where this program is")?;
        let target = executable
            .ancestors()
            .nth(2)
            .ok_or("this program is not in a target folder")?
            .to_owned();
        let ci = env::var("CI").is_ok_and(|value| value == "true");
        Ok(Self { root, target, ci })
    }

    /// A program that cargo built with the dev profile.
    pub(crate) fn program(&self, name: impl AsRef<Path>) -> PathBuf {
        self.target
            .join("debug")
            .join(name)
            .with_extension(env::consts::EXE_EXTENSION)
    }

    /// A folder below the target folder, created if needed.
    pub(crate) fn target_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.target.join(name);
        std::fs::create_dir_all(&folder).context(format_args!("cannot create {}", folder.display()))?;
        Ok(folder)
    }
}
