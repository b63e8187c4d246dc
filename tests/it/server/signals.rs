//! Signals, in a process of their own: this test binary, started again.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use rpc::{
    Client, MemoryRegistry,
    server::{Bound, Server, ServingStatus},
};

use super::support::{Gate, GateClient, in_time};

/// In the environment of a started process: its call of `Wait` is let go once the listener is closed (`released`), or never
/// (`stuck`); or it is still warming up (`warming`).
const CHILD: &str = "RPC_TEST_SIGNALS_CHILD";

/// What a started process runs, in place of the test that it is started as.
async fn child(mode: &str) {
    let gate = Gate::new();
    let builder = Server::builder().add_service(gate.clone()).notice(Duration::ZERO);
    let bound = builder.build().unwrap().bind("127.0.0.1:0").await.unwrap();
    if mode == "warming" {
        return warming(bound).await;
    }
    let address = bound.local_addresses()[0].to_string();
    println!("listening on {address}");
    let is_released = mode == "released";
    tokio::spawn(async move {
        gate.arrived().await;
        println!("arrived");
        if is_released {
            closed(&address).await;
            gate.open(1);
        }
    });
    bound.serve().await.unwrap();
    println!("stopped");
}

/// A program that warms up beside its server, as the guide has it. Nobody is there of those whom it calls.
async fn warming(bound: Bound) {
    let health = bound.health();
    health.set("", ServingStatus::NotServing);
    let own = client(&bound.local_addresses()[0].to_string());
    let nobody = Client::builder()
        .target("memory:///nobody")
        .registry(MemoryRegistry::new());
    let nobody = nobody.wait_for_ready(true).build().unwrap();
    let mut serving = tokio::spawn(bound.serve());
    let warm_up = async {
        // Once it answers, it heeds signals.
        own.echo(1).await.unwrap();
        println!("warming up");
        let _ = in_time(nobody.ready()).await;
    };
    tokio::select! {
        () = warm_up => health.set("", ServingStatus::Serving),
        ended = &mut serving => {
            ended.unwrap().unwrap();
            println!("stopped while it warmed up");
            return;
        }
    }
    serving.await.unwrap().unwrap();
}

/// Waits until nobody listens on an address any more.
async fn closed(address: &str) {
    in_time(async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

struct Process {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Process {
    fn start(mode: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "server::signals::sigterm_and_sigint_stop_it_gracefully",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(CHILD, mode)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// The rest of the line that contains a text.
    fn line(&mut self, text: &str) -> String {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the process ended before it said `{text}`");
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for its end: what it still said.
    fn end(mut self) -> String {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client(address: &str) -> GateClient {
    GateClient(
        Client::builder()
            .target(format!("static://{address}"))
            .build()
            .unwrap()
            .into(),
    )
}

async fn blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    in_time(tokio::task::spawn_blocking(f)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_and_sigint_stop_it_gracefully() {
    if let Ok(mode) = std::env::var(CHILD) {
        return child(&mode).await;
    }
    for signal in ["TERM", "INT"] {
        let (mut process, address) = blocking(|| {
            let mut process = Process::start("released");
            let address = process.line("listening on ");
            (process, address)
        })
        .await;
        let client = client(&address);
        let call = tokio::spawn(async move { client.wait(9).await });
        let process = blocking(move || {
            process.line("arrived");
            process.signal(signal);
            process
        })
        .await;
        assert_eq!(call.await.unwrap().unwrap(), 9);
        assert!(blocking(|| process.end()).await.contains("stopped"));
    }
}

#[tokio::test]
async fn a_second_signal_stops_it_without_grace() {
    let (mut process, address) = blocking(|| {
        let mut process = Process::start("stuck");
        let address = process.line("listening on ");
        (process, address)
    })
    .await;
    let client = client(&address);
    let call = tokio::spawn(async move { client.wait(9).await });
    let process = blocking(move || {
        process.line("arrived");
        process.signal("TERM");
        process
    })
    .await;
    // Signals of one kind are not counted: the second is sent once the first was seen.
    closed(&address).await;
    process.signal("TERM");
    assert!(call.await.unwrap().is_err());
    assert!(blocking(|| process.end()).await.contains("stopped"));
}

#[tokio::test]
async fn a_signal_ends_a_program_that_warms_up() {
    let rest = blocking(|| {
        let mut process = Process::start("warming");
        process.line("warming up");
        process.signal("TERM");
        process.end()
    })
    .await;
    assert!(rest.contains("stopped while it warmed up"));
}
