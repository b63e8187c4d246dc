//! gRPC's C core by way of Python: the compression cases, which grpc-go does not have.
//!
//! Client and server are scripts of ours (`tests/peers/python`); what they prove lies in the core below them.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use super::{build, cases, drain, our_client, our_server};
use crate::{
    error::{Context as _, Result},
    process,
    report::Outcome,
    tools,
    workspace::Workspace,
};

const INSTALLATION: Duration = Duration::from_mins(15);

const CASES: &[&str] = &[
    "client_compressed_unary",
    "server_compressed_unary",
    "client_compressed_streaming",
    "server_compressed_streaming",
];

pub(in crate::test) fn run(workspace: &Workspace, outcome: &mut Outcome) -> Result {
    build(workspace)?;
    let python = Peer::install(workspace)?;

    let pair = "our client, Python server";
    let mut server = python.script("compressed_server.py");
    server.args(["--listen", "127.0.0.1:0"]);
    cases(outcome, pair, server, CASES, |server, case| {
        our_client(workspace, server, case)
    });

    let pair = "Python client, our server";
    let server = cases(outcome, pair, our_server(workspace), CASES, |server, case| {
        let mut client = python.script("compressed_client.py");
        client.args(["--server", server.address(), "--case", case]);
        client
    });
    drain(outcome, pair, server);
    Ok(())
}

/// A virtual environment with what `requirements.txt` pins.
struct Peer {
    interpreter: PathBuf,
    scripts: PathBuf,
    proto: PathBuf,
}

impl Peer {
    fn install(workspace: &Workspace) -> Result<Self> {
        let scripts = workspace.root.join("tests/peers/python");
        let requirements = scripts.join("requirements.txt");
        let wanted = fs::read_to_string(&requirements).context("cannot read requirements.txt")?;
        let environment = workspace.target.join("peers/python");
        let interpreter = environment.join("bin/python");
        // Written last: an installation that was cut short is started anew.
        let stamp = environment.join("installed.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) && interpreter.exists() {
            return Ok(Self::new(workspace, interpreter, scripts));
        }

        let mut create = Command::new(tools::python()?);
        create.args(["-m", "venv", "--clear"]).arg(&environment);
        process::announce(&create);
        process::capture(create, INSTALLATION)?;
        let mut install = Command::new(&interpreter);
        // Wheels only: compiling the C core takes longer than everything else together.
        install
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--only-binary",
                ":all:",
                "--requirement",
            ])
            .arg(&requirements);
        process::announce(&install);
        process::capture(install, INSTALLATION)?;
        fs::write(&stamp, wanted).context(format_args!("cannot write {}", stamp.display()))?;
        Ok(Self::new(workspace, interpreter, scripts))
    }

    fn new(workspace: &Workspace, interpreter: PathBuf, scripts: PathBuf) -> Self {
        Self {
            interpreter,
            scripts,
            proto: workspace.root.join("examples/interop/proto"),
        }
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new(&self.interpreter);
        command
            .arg(self.scripts.join(name))
            .arg("--proto")
            .arg(&self.proto);
        // No compiled files beside the scripts.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
