//! Features that must not be in the product.
//!
//! tracing's `log` makes every disabled span do work even when no logger listens. Any crate below us could
//! switch it on, and nothing but the clock would tell.

use std::time::Duration;

use crate::{
    cargo::cargo,
    error::{Error, Result},
    process,
    report::Outcome,
    workspace::Workspace,
};

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    let mut command = cargo(workspace, "tree");
    command.args([
        "--package",
        "rpc",
        "--all-features",
        "--edges",
        "normal,build,features",
        "--invert",
        "tracing",
    ]);
    outcome.check("tracing without `log`", || {
        process::announce(&command);
        let tree = process::capture(command, Duration::from_mins(5))?;
        let culprits: Vec<_> = tree.lines().filter(|line| is_log(line)).collect();
        if !tree.contains("tracing v") {
            return Err(Error::Failed(format!("no tracing in the tree:\n{tree}")));
        }
        if culprits.is_empty() {
            Ok(())
        } else {
            Err(Error::Failed(format!("it is on:\n{tree}")))
        }
    });
    Ok(())
}

fn is_log(line: &str) -> bool {
    ["log", "log-always"]
        .iter()
        .any(|feature| line.contains(&format!("tracing feature \"{feature}\"")))
}

#[cfg(test)]
mod tests {
    use super::is_log;

    #[test]
    fn the_feature_is_told_from_its_likes() {
        assert!(is_log("├── tracing feature \"log\""));
        assert!(!is_log("├── tracing feature \"std\""));
        assert!(!is_log("├── h2 feature \"log\""));
    }
}
