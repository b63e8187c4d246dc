//! Signals to processes, and who descends from whom.

use std::{
    collections::HashMap,
    fs,
    process::{Command, Stdio},
};

use super::success;
use crate::error::{Context as _, Result};

/// Children, grandchildren and so on. Known on Linux only; elsewhere a time limit kills the child alone.
pub(super) fn descendants(ancestor: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // `pid (name) state parent …`, and the name may contain anything.
        let Some((_, after)) = stat.rsplit_once(')') else {
            continue;
        };
        let Some(parent) = after
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|id| id.parse().ok())
        else {
            continue;
        };
        children.entry(parent).or_default().push(process);
    }
    let mut found = Vec::new();
    let mut open = vec![ancestor];
    while let Some(parent) = open.pop() {
        let offspring = children.remove(&parent).unwrap_or_default();
        open.extend(&offspring);
        found.extend(offspring);
    }
    found
}

pub(super) fn send(name: &str, processes: &[u32]) -> Result {
    let ids: Vec<_> = processes.iter().map(u32::to_string).collect();
    // The shell's own `kill`: there is none in the standard library, and a program of that name is optional.
    let status = Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", ids.join(" "))])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run `sh`")?;
    success("kill", status)
}
