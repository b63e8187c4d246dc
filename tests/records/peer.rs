//! A program of another framework.
//!
//! It ends with the value that stands for it, so that no wait for it outlives the test.

use std::{env, path::PathBuf, process::Stdio};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    sync::oneshot,
};

use super::node::{Node, in_time};

pub(crate) struct Peer(Child);

impl Peer {
    /// Has it announce an instance; it has when this returns.
    pub(crate) async fn announce(name: &str, node: &Node, service: &str, address: &str) -> Self {
        let mut command = command(name, node, service);
        command.args(["--announce", address]).stdout(Stdio::piped());
        let mut peer = Self(command.spawn().expect("it starts"));
        let mut lines = BufReader::new(peer.0.stdout.take().expect("a pipe")).lines();
        let (tell, told) = oneshot::channel();
        // To the end: a program whose output nobody reads any more is killed for writing.
        tokio::spawn(async move {
            let mut tell = Some(tell);
            while let Ok(Some(line)) = lines.next_line().await {
                if line.starts_with("listening on ")
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(());
                }
            }
        });
        let told = in_time(told).await;
        assert!(told.is_ok(), "{name} ended without announcing");
        peer
    }

    /// What it lists; nothing if it knows no such service.
    pub(crate) async fn list(name: &str, node: &Node, service: &str) -> Vec<Value> {
        let mut command = command(name, node, service);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = in_time(command.output()).await.expect("it starts");
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
        let kill = format!("kill -TERM {}", self.0.id().expect("it runs"));
        let status = in_time(Command::new("sh").args(["-c", &kill]).status()).await;
        assert!(status.expect("there is a shell").success());
        let status = in_time(self.0.wait()).await.unwrap();
        assert!(status.success(), "{status}");
    }
}

fn command(name: &str, node: &Node, service: &str) -> Command {
    let folder = env::var_os("RPC_TEST_PEERS").expect(
        "`RPC_TEST_PEERS` is the folder of the programs; `cargo xtask test --only records` builds them and sets it",
    );
    let mut command = Command::new(PathBuf::from(folder).join(name));
    command.args(["--etcd", &node.address().to_string(), "--service", service]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}
