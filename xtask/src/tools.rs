//! Programs from outside that a part needs: found, or installed where that is possible.

use std::{env, fs, path::PathBuf, process::Command, time::Duration};

use crate::{
    error::{Error, Result},
    process,
};

const INSTALLATION: Duration = Duration::from_mins(15);

/// The Go toolchain. `go` itself fetches the version that a `go.mod` asks for, if it is 1.21 or newer.
///
/// # Errors
/// It is not there, and cannot be installed.
pub(crate) fn go() -> Result<PathBuf> {
    if let Some(go) = find("go") {
        return Ok(go);
    }
    // Where the official archive is unpacked to; not on everybody's path.
    let archive = PathBuf::from("/usr/local/go/bin/go");
    if archive.exists() {
        return Ok(archive);
    }
    apt_install(&["golang-go"])?;
    find("go").ok_or_else(|| Error::Missing("`go` is not there".to_owned()))
}

/// Python 3 with the module `venv`.
///
/// # Errors
/// It is not there, and cannot be installed.
pub(crate) fn python() -> Result<PathBuf> {
    let works = |python: &PathBuf| {
        let mut probe = Command::new(python);
        probe.args(["-c", "import venv, ensurepip"]);
        process::capture(probe, Duration::from_mins(1)).is_ok()
    };
    if let Some(python) = find("python3").filter(works) {
        return Ok(python);
    }
    apt_install(&["python3", "python3-venv"])?;
    find("python3")
        .filter(works)
        .ok_or_else(|| Error::Missing("`python3` with `venv` is not there".to_owned()))
}

/// Valgrind, which counts instructions.
///
/// # Errors
/// It is not there, and cannot be installed.
pub(crate) fn valgrind() -> Result<PathBuf> {
    if let Some(valgrind) = find("valgrind") {
        return Ok(valgrind);
    }
    apt_install(&["valgrind"])?;
    find("valgrind").ok_or_else(|| Error::Missing("`valgrind` is not there".to_owned()))
}

/// The server of etcd, 3.4 or newer.
///
/// # Errors
/// It is not there, and cannot be installed.
pub(crate) fn etcd() -> Result<PathBuf> {
    if let Some(etcd) = find("etcd") {
        return Ok(etcd);
    }
    apt_install(&["etcd-server"])?;
    find("etcd").ok_or_else(|| Error::Missing("`etcd` is not there".to_owned()))
}

/// The path of a program on `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// Installs packages of Debian and its kin, quietly unless that fails.
fn apt_install(packages: &[&str]) -> Result {
    let what = packages.join(" ");
    if find("apt-get").is_none() || !is_root() {
        return Err(Error::Missing(format!(
            "{what}: not there, and only root on a Debian could install it"
        )));
    }
    println!("installing {what}");
    for args in [
        &["update"][..],
        &[&["install", "--yes", "--no-install-recommends"], packages].concat(),
    ] {
        let mut command = Command::new("apt-get");
        command
            .arg("--quiet")
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive");
        process::capture(command, INSTALLATION)?;
    }
    Ok(())
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    // Real, effective, saved, file system.
    users
        .and_then(|users| users.split_whitespace().nth(1))
        .is_some_and(|effective| effective == "0")
}
