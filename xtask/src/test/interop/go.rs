//! grpc-go: its interop client as it is, its interop service behind a small program of ours.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{build, cases, drain, our_client, our_server};
use crate::{
    error::{Context as _, Result},
    process::{self, Server},
    report::Outcome,
    tools,
    workspace::Workspace,
};

/// Modules are downloaded and compiled the first time.
const BUILD: Duration = Duration::from_mins(20);

/// The cases that grpc-go has without a cloud around it.
const CASES: &[&str] = &[
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
];
/// Many large calls, over one connection and over a new one each. Only the Go client has these.
const SOAK: &[&str] = &["rpc_soak", "channel_soak"];

/// Load reports: in trailers, and over a stream of their own.
const LOAD: &[&str] = &["orca_per_rpc", "orca_oob"];

/// Calls go where the server says that it serves, and where it says nothing of it.
const HEALTH: &[&str] = &["health_watch"];
const NO_HEALTH: &[&str] = &["health_unimplemented"];

pub(in crate::test) fn plain(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    build(workspace)?;
    let go = Peers::build(workspace)?;

    let pair = "our client, Go server";
    let all = [CASES, LOAD, HEALTH].concat();
    cases(outcome, pair, go.server(), &all, |server, case| {
        our_client(workspace, server, case)
    });

    let pair = "our client, Go server without health";
    let mut silent = go.server();
    silent.arg("--without-health");
    cases(outcome, pair, silent, NO_HEALTH, |server, case| {
        our_client(workspace, server, case)
    });

    let pair = "Go client, our server";
    let all = [CASES, SOAK, LOAD].concat();
    let server = cases(outcome, pair, our_server(workspace), &all, |server, case| {
        go.client(server, case)
    });
    drain(outcome, pair, server);
    Ok(())
}

pub(in crate::test) fn tls(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    build(workspace)?;
    let go = Peers::build(workspace)?;
    let tls = Certificates::make(workspace, &go)?;
    let serve = |mut server: Command| {
        server
            .arg("--tls-cert")
            .arg(&tls.chain)
            .arg("--tls-key")
            .arg(&tls.key);
        server
    };

    let pair = "our client, Go server, TLS";
    cases(outcome, pair, serve(go.server()), CASES, |server, case| {
        let mut client = our_client(workspace, server, case);
        client
            .arg("--tls-ca")
            .arg(&tls.authority)
            .args(["--server-name", Certificates::NAME]);
        client
    });

    let pair = "Go client, our server, TLS";
    let server = cases(
        outcome,
        pair,
        serve(our_server(workspace)),
        CASES,
        |server, case| {
            let mut client = go.client(server, case);
            client.args([
                "-use_tls",
                "-use_test_ca",
                "-server_host_override",
                Certificates::NAME,
            ]);
            client.arg("-ca_file").arg(&tls.authority);
            client
        },
    );
    drain(outcome, pair, server);
    Ok(())
}

/// The programs built from `tests/peers/go`.
struct Peers {
    folder: PathBuf,
}

impl Peers {
    fn build(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target_folder("peers/go")?;
        let mut command = Command::new(tools::go()?);
        // Go would take a path without a slash at its end for the name of a file.
        command
            .args(["build", "-mod=readonly", "-o"])
            .arg(folder.join(""))
            .args([
                "google.golang.org/grpc/interop/client",
                "./server",
                "./certificates",
            ]);
        command.current_dir(workspace.root.join("tests/peers/go"));
        process::announce(&command);
        process::capture(command, BUILD)?;
        Ok(Self { folder })
    }

    fn server(&self) -> Command {
        let mut command = Command::new(self.folder.join("server"));
        command.args(["--listen", "127.0.0.1:0"]);
        command
    }

    fn client(&self, server: &Server, case: &str) -> Command {
        let (host, port) = server
            .address()
            .rsplit_once(':')
            .unwrap_or((server.address(), ""));
        let mut command = Command::new(self.folder.join("client"));
        command.args(["-server_host", host, "-server_port", port, "-test_case", case]);
        if LOAD.contains(&case) {
            // The balancer of these cases, which shows them the reports.
            let balancer = r#"{"loadBalancingConfig": [{"test_backend_metrics_load_balancer": {}}]}"#;
            command.args(["-service_config_json", balancer]);
        }
        // Its log says what went wrong, and where.
        command.env("GRPC_GO_LOG_SEVERITY_LEVEL", "info");
        command
    }
}

/// What a TLS test needs, made for the occasion.
struct Certificates {
    authority: PathBuf,
    chain: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// The name in the server's certificate. No address in it: whoever checks the address instead is caught.
    const NAME: &str = "interop.test";

    fn make(workspace: &Workspace, peers: &Peers) -> Result<Self> {
        let folder = workspace.target_folder("peers/tls")?;
        let mut command = Command::new(peers.folder.join("certificates"));
        command.arg("-out").arg(&folder).arg(Self::NAME);
        process::capture(command, Duration::from_mins(1))?;
        let file = |name: &str| -> Result<PathBuf> {
            let path = folder.join(name);
            require(&path)?;
            Ok(path)
        };
        Ok(Self {
            authority: file("ca.pem")?,
            chain: file("server.pem")?,
            key: file("server.key")?,
        })
    }
}

fn require(path: &Path) -> Result {
    fs::metadata(path)
        .context(format_args!("{}", path.display()))
        .map(drop)
}
