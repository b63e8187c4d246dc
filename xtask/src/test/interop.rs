//! gRPC's interoperability cases: our programs (`examples/interop`) with those of other implementations.
//!
//! The contract of `interop_server` and `interop_client`, and of the peers under `tests/peers` that we wrote:
//!
//! - a server takes `--listen HOST:PORT` (port 0 for a free one), prints `listening on HOST:PORT` when it accepts
//!   connections, and ends with code 0 after SIGTERM;
//! - a client takes `--server HOST:PORT` and `--case NAME`, and ends with code 0 if the case passed;
//! - TLS is asked for by `--tls-cert FILE --tls-key FILE` at a server, by `--tls-ca FILE --server-name NAME` at a client.
//!
//! Each case is a process of its own: one that hangs or crashes takes no other with it.

pub(super) mod go;
pub(super) mod python;

use std::{process::Command, time::Duration};

use super::examples;
use crate::{
    error::{Error, Result},
    process::{self, Server},
    report::Outcome,
    workspace::Workspace,
};

/// The longest case waits for deadlines of a second or so. Clients of ours give up on a hung one by themselves, before
/// this, and say more about it.
const CASE: Duration = Duration::from_secs(90);
const START: Duration = Duration::from_secs(30);
const STOP: Duration = Duration::from_secs(30);

/// Builds our programs.
fn build(workspace: &Workspace) -> Result {
    examples::build(workspace)
}

fn our_server(workspace: &Workspace) -> Command {
    let mut command = Command::new(workspace.program("examples/interop_server"));
    command.args(["--listen", "127.0.0.1:0"]);
    command
}

fn our_client(workspace: &Workspace, server: &Server, case: &str) -> Command {
    let mut command = Command::new(workspace.program("examples/interop_client"));
    command.args(["--server", server.address(), "--case", case]);
    command
}

/// Starts a server and runs one client a case against it.
fn cases(
    outcome: &mut Outcome,
    pair: &str,
    server: Command,
    cases: &[&str],
    client: impl Fn(&Server, &str) -> Command,
) -> Option<Server> {
    let mut server = match Server::start(server, START) {
        Ok(server) => server,
        Err(error) => {
            outcome.check(format_args!("{pair}: start of the server"), || Err(error));
            return None;
        }
    };
    for case in cases {
        outcome.check(format_args!("{pair}: {case}"), || {
            let command = client(&server, case);
            process::capture(command, CASE).map(drop).map_err(|error| {
                let error = error.to_string();
                let why = verdict(&error).unwrap_or_default();
                Error::Failed(format!("{why}{error}{}", server.log()))
            })
        });
    }
    Some(server)
}

/// What a client of ours said about the case, to stand in front of how its process ended.
fn verdict(output: &str) -> Option<String> {
    let line = output.lines().find_map(|line| line.split_once("FAILED "))?.1;
    let (_, why) = line.split_once(": ")?;
    Some(format!("{why}\n  "))
}

/// The last check of our server: SIGTERM ends it, and it says that all went well.
fn drain(outcome: &mut Outcome, pair: &str, server: Option<Server>) {
    if let Some(server) = server {
        outcome.check(format_args!("{pair}: our server drains on SIGTERM"), || {
            server.terminate(STOP)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn the_reason_comes_first() {
        let output = "`client` failed: exit status: 1\n    | FAILED ping_pong: no answer: 3 of 4\n    | more";
        assert_eq!(verdict(output).as_deref(), Some("no answer: 3 of 4\n  "));
        assert_eq!(verdict("`client` was killed after 90s"), None);
    }
}
