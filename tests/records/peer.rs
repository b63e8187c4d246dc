//! A program of another framework.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tokio::{task::spawn_blocking, time::timeout};

use super::node::{LONG, Node};

pub(crate) struct Peer(Child);

impl Peer {
    /// Has it announce an instance; it has when this returns.
    pub(crate) async fn announce(name: &str, node: &Node, service: &str, address: &str) -> Self {
        let mut command = command(name, node, service);
        command.args(["--announce", address]).stdout(Stdio::piped());
        let mut peer = Self(command.spawn().expect("it starts"));
        let lines = BufReader::new(peer.0.stdout.take().expect("a pipe")).lines();
        let told = spawn_blocking(move || {
            lines
                .map_while(Result::ok)
                .any(|line| line.starts_with("listening on "))
        });
        let told = timeout(LONG, told).await.expect("in time").unwrap();
        assert!(told, "{name} ended without announcing");
        peer
    }

    /// What it lists; nothing if it knows no such service.
    pub(crate) async fn list(name: &str, node: &Node, service: &str) -> Vec<Value> {
        let mut command = command(name, node, service);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = spawn_blocking(move || command.output().expect("it starts"));
        let output = timeout(LONG, output).await.expect("in time").unwrap();
        let (said, complained) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        // Some of them call an empty list an error.
        let empty = ["not found", "no instance remains"];
        assert!(
            output.status.success() || empty.iter().any(|text| complained.contains(text)),
            "{name}: {complained}"
        );
        said.lines()
            .filter_map(|line| line.strip_prefix("instance "))
            .map(|json| serde_json::from_str(json).expect("they write JSON"))
            .collect()
    }

    /// Asks it to end, as an orchestrator does, and waits for that.
    pub(crate) async fn end(mut self) {
        let kill = format!("kill -TERM {}", self.0.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("there is a shell").success());
        let ended = spawn_blocking(move || self.0.wait().map(|status| (status, self)));
        let (status, _peer) = timeout(LONG, ended).await.expect("in time").unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(name: &str, node: &Node, service: &str) -> Command {
    let folder = env::var_os("RPC_TEST_PEERS").expect(
        "`RPC_TEST_PEERS` is the folder of the programs; `cargo xtask test --only records` builds them and sets it",
    );
    let mut command = Command::new(PathBuf::from(folder).join(name));
    command.args(["--etcd", &node.address().to_string(), "--service", service]);
    command.stdin(Stdio::null());
    command
}
