//! Tests that run against a real etcd.
//!
//! The tests start their nodes themselves, as they kill and stop them; they are told where the program is. The peers of
//! `tests/peers/registries` are one Go module a framework: their dependencies do not go together.

use std::{process::Command, time::Duration};

use super::cargo_test;
use crate::{error::Result, process, report::Outcome, tools, workspace::Workspace};

/// Modules are downloaded and compiled the first time.
const BUILD: Duration = Duration::from_mins(20);
const PEERS: &[&str] = &["kratos", "gozero", "grpcnaming", "gomicro", "kitex"];

pub(super) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    let etcd = tools::etcd()?;
    cargo_test::binary(workspace, outcome, "etcd", &[("RPC_TEST_ETCD", etcd.as_os_str())])
}

pub(super) fn records(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    let etcd = tools::etcd()?;
    let folder = workspace.target_folder("peers/registries")?;
    for peer in PEERS {
        let mut command = Command::new(tools::go()?);
        command
            .args(["build", "-mod=readonly", "-o"])
            .arg(folder.join(peer))
            .arg(".");
        command.current_dir(workspace.root.join("tests/peers/registries").join(peer));
        process::announce(&command);
        process::capture(command, BUILD)?;
    }
    let told = [
        ("RPC_TEST_ETCD", etcd.as_os_str()),
        ("RPC_TEST_PEERS", folder.as_os_str()),
    ];
    cargo_test::binary(workspace, outcome, "records", &told)
}
