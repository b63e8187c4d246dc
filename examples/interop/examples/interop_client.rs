//! Runs cases against a server.
//!
//! ```text
//! cargo run --example interop_client -- --server 127.0.0.1:10000 --case all
//! ```

use std::{process::ExitCode, time::Duration};

use interop::{
    cases::{self, Failure, Peer},
    flags::Flags,
};
use rpc::{Client, net::tls::ClientTls};

const USAGE: &str = "interop_client --server HOST:PORT --case NAME|all [--case NAME]... \
                     [--tls-ca FILE [--server-name NAME]]\ninterop_client --list-cases";

/// How long a case may take before it counts as hung.
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs what was asked for; true if all of it passed.
async fn run() -> Result<bool, Failure> {
    let flags = Flags::parse(
        &["--server", "--case", "--tls-ca", "--server-name"],
        &["--list-cases"],
    )?;
    if flags.has("--list-cases") {
        for (name, _) in cases::ALL.iter().chain(cases::SPECIAL) {
            println!("{name}");
        }
        return Ok(true);
    }
    let mut wanted = Vec::new();
    for name in flags.all("--case") {
        match name.as_str() {
            "all" => wanted.extend(cases::ALL.iter().copied()),
            name => wanted.push(cases::find(name).ok_or_else(|| format!("there is no case `{name}`"))?),
        }
    }
    if wanted.is_empty() {
        return Err("no case was asked for".into());
    }
    let server = flags.get("--server").ok_or("`--server` is missing")?;
    let peer = Peer::new(&connect(&flags, server)?, server);
    let mut all_passed = true;
    for (name, case) in wanted {
        let outcome = match tokio::time::timeout(PATIENCE, case(peer.clone())).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("hung for {PATIENCE:?}").into()),
        };
        match outcome {
            Ok(()) => println!("ok {name}"),
            Err(why) => {
                println!("FAILED {name}: {why}");
                all_passed = false;
            }
        }
    }
    Ok(all_passed)
}

fn connect(flags: &Flags, server: &str) -> Result<Client, Failure> {
    let mut client = Client::builder().target(format!("static://{server}"));
    if let Some(roots) = flags.get("--tls-ca") {
        let mut tls = ClientTls::builder().trust_file(roots);
        if let Some(name) = flags.get("--server-name") {
            tls = tls.server_name(name);
        }
        client = client.tls(tls.build()?);
    }
    Ok(client.build()?)
}
