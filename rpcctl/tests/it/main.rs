//! The program itself against a server of ours.

mod tls;

use std::{
    fs,
    path::PathBuf,
    process::{Output, Stdio},
    time::Duration,
};

use rpc::{
    Client, Server,
    server::{HealthReporter, ServeError, ServerBuilder, ServerHandle, ServingStatus},
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

/// A server needs a service.
#[rpc::service(package = "test.v1")]
trait Nothing {}

struct Nobody;

impl Nothing for Nobody {}

fn server(reporter: &HealthReporter) -> ServerBuilder {
    Server::builder()
        .add_service(NothingServer::new(Nobody))
        .health(reporter.clone())
        .without_signals()
}

/// A server that serves.
struct Serving {
    address: String,
    handle: ServerHandle,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Serving {
    async fn start(server: ServerBuilder) -> Self {
        let server = server.build().expect("a server");
        let server = server.bind("127.0.0.1:0").await.expect("a free port");
        Self {
            address: server.local_addresses()[0].to_string(),
            handle: server.handle(),
            task: tokio::spawn(server.serve()),
        }
    }

    async fn stop(self) {
        self.handle.shutdown();
        self.task.await.expect("no panic").expect("a clean stop");
    }
}

async fn rpcctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rpcctl"))
        .args(arguments)
        .output()
        .await
        .expect("the program runs")
}

fn printed(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

#[tokio::test]
async fn health_says_how_it_is_and_ends_accordingly() {
    let reporter = HealthReporter::new();
    let serving = Serving::start(server(&reporter)).await;
    let address = serving.address.clone();

    assert_eq!(
        printed(&rpcctl(&["health", &address]).await),
        (Some(0), "SERVING".to_owned())
    );
    assert_eq!(
        rpcctl(&["health", &address, "shop.v1.Absent"])
            .await
            .status
            .code(),
        Some(3)
    );
    reporter.set("", ServingStatus::NotServing);
    assert_eq!(
        printed(&rpcctl(&["health", &address]).await),
        (Some(4), "NOT_SERVING".to_owned())
    );

    serving.stop().await;
    assert_eq!(rpcctl(&["health", &address]).await.status.code(), Some(2));
    assert_eq!(rpcctl(&["health"]).await.status.code(), Some(1));
}

/// A file of instances, and what is said of it.
struct Services(PathBuf);

impl Services {
    fn new() -> Self {
        let name = format!(
            "rpcctl-{}-{:x}",
            std::process::id(),
            std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()
        );
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }

    /// Writes another file beside it.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn target(&self) -> String {
        format!("file://{}?name=shop", self.0.join("services.json").display())
    }

    /// What `instances --json` prints.
    async fn json(&self) -> String {
        printed(&rpcctl(&["instances", &self.target(), "--json"]).await).1
    }

    /// The only instance, as that prints it.
    async fn only(&self) -> serde_json::Value {
        let mut all: Vec<_> = serde_json::from_str(&self.json().await).expect("it is a list");
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Waits until that contains a text, or does not.
    async fn until(&self, contains: bool, text: &str) {
        let reached = async {
            while self.json().await.contains(text) != contains {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_mins(1), reached).await;
        assert!(in_time.is_ok(), "`{text}` {contains}: {}", self.json().await);
    }

    fn register(&self, more: &[&str]) -> Child {
        self.register_telling(Stdio::inherit(), more)
    }

    /// The same; what goes wrong is told there.
    fn register_telling(&self, stderr: Stdio, more: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_rpcctl"))
            .args(["register", &self.target(), "--interval-ms", "20"])
            .args(more)
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .expect("the program runs")
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(unix)]
async fn terminate(mut child: Child) -> Option<i32> {
    let id = child.id().expect("it runs").to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .await
            .expect("it is sent")
            .success()
    );
    child.wait().await.expect("it ends").code()
}

#[cfg(unix)]
#[tokio::test]
async fn a_service_is_registered_operated_and_withdrawn() {
    let services = Services::new();
    fs::write(
        services.0.join("services.json"),
        r#"{"version": 1, "services": {}}"#,
    )
    .unwrap();
    assert_eq!(
        printed(&rpcctl(&["instances", &services.target(), "--json"]).await),
        (Some(0), "[]".to_owned())
    );
    let more = [
        "--address",
        "10.0.0.1:50051",
        "--id",
        "shop-1",
        "--weight",
        "7",
        "--group",
        "vip",
        "--lane",
        "red",
    ];
    let child = services.register(&more);
    services.until(true, r#""id":"shop-1""#).await;
    let table = printed(&rpcctl(&["instances", &services.target()]).await).1;
    let row: Vec<_> = table.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(
        row,
        [
            "shop-1",
            "up",
            "7",
            "grpc://10.0.0.1:50051",
            "-",
            "red",
            "vip",
            "-"
        ]
    );

    for (command, state) in [("drain", "draining"), ("disable", "disabled"), ("enable", "up")] {
        let output = rpcctl(&[command, &services.target(), "shop-1"]).await;
        assert_eq!(printed(&output), (Some(0), format!("shop-1 is {state}")));
        assert!(services.json().await.contains(&format!(r#""state":"{state}""#)));
    }
    let target = services.target();
    let amend = ["amend", &target, "shop-1", "--weight", "9", "--no-lane"];
    let output = rpcctl(&[&amend[..], &["--group", "a", "--group", "b"]].concat()).await;
    assert_eq!(printed(&output), (Some(0), "amended shop-1".to_owned()));
    let amended = services.only().await;
    assert_eq!(amended["weight"], 9);
    assert!(amended["lane"].is_null());
    assert_eq!(amended["groups"], serde_json::json!(["a", "b"]));
    // What is not said stays.
    let output = rpcctl(&["amend", &target, "shop-1", "--lane", "green"]).await;
    assert_eq!(output.status.code(), Some(0));
    let amended = services.only().await;
    assert_eq!(
        (&amended["weight"], &amended["lane"]),
        (&9.into(), &"green".into())
    );
    let (code, said) = printed(&rpcctl(&["enable", &target, "shop-1"]).await);
    assert_eq!(code, Some(0));
    assert!(
        said.starts_with("shop-1 is up\n") && said.ends_with(": weight, lane, groups"),
        "{said}"
    );
    assert_eq!(
        rpcctl(&["amend", &target, "nobody", "--no-lane"])
            .await
            .status
            .code(),
        Some(3)
    );
    assert_eq!(
        rpcctl(&["drain", &services.target(), "nobody"])
            .await
            .status
            .code(),
        Some(3)
    );
    assert_eq!(
        rpcctl(&["drain", "static://a:1", "nobody"]).await.status.code(),
        Some(1)
    );

    assert_eq!(terminate(child).await, Some(0));
    assert_eq!(services.json().await, "[]");
}

#[cfg(unix)]
#[tokio::test]
async fn a_service_is_registered_for_as_long_as_it_answers() {
    let services = Services::new();
    let reporter = HealthReporter::new();
    reporter.set("", ServingStatus::NotServing);
    let serving = Serving::start(server(&reporter)).await;
    let address = serving.address.clone();
    let child = services.register(&["--address", &address, "--health", &address]);
    reporter.set("", ServingStatus::Serving);
    services.until(true, r#""state":"up""#).await;
    let client = Client::builder()
        .target(services.target())
        .build()
        .expect("a client");
    client.ready().await.expect("it is found and answers");
    reporter.set("", ServingStatus::NotServing);
    services.until(true, r#""state":"disabled""#).await;
    reporter.set("", ServingStatus::Serving);
    services.until(true, r#""state":"up""#).await;
    serving.stop().await;
    services.until(true, r#""state":"disabled""#).await;
    assert_eq!(terminate(child).await, Some(0));
    assert_eq!(services.json().await, "[]");
}

#[cfg(unix)]
#[tokio::test]
async fn what_could_not_be_withdrawn_is_said() {
    let services = Services::new();
    let child = services.register(&["--address", "10.0.0.1:50051"]);
    services.until(true, "10.0.0.1:50051").await;
    let lock = fs::File::create(services.0.join("services.json.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(terminate(child).await, Some(2));
    assert!(services.json().await.contains("10.0.0.1:50051"));
}

#[cfg(unix)]
#[tokio::test]
async fn who_goes_away_does_not_end_what_is_registered() {
    use tokio::net::TcpListener;

    let services = Services::new();
    let unheard = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let probed = unheard.local_addr().unwrap().to_string();
    let health = format!("tcp://{probed}");
    let mut child = services.register_telling(Stdio::piped(), &["--address", &probed, "--health", &health]);
    services.until(true, r#""state":"up""#).await;
    drop(child.stderr.take());
    // It says so first, and then shows it.
    drop(unheard);
    services.until(true, r#""state":"disabled""#).await;
    assert_eq!(terminate(child).await, Some(0));
    assert_eq!(services.json().await, "[]");
}

#[tokio::test]
async fn who_goes_away_ends_what_is_watched() {
    let services = Services::new();
    services.file("services.json", r#"{"version": 1, "services": {}}"#);
    let mut child = Command::new(env!("CARGO_BIN_EXE_rpcctl"))
        .args(["instances", &services.target(), "--watch", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("[]"));
    drop(lines);
    let new = r#"{"version": 1, "services": {"shop": [{"id": "a", "endpoints": ["a:1"]}]}}"#;
    fs::rename(services.file("new", new), services.0.join("services.json")).unwrap();
    let output = child.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let services = Services::new();
    let output = rpcctl(&["instances", &services.target(), "--timeout-ms", "100"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("services.json"));
    let output = rpcctl(&["instances", "zookeeper://a:1/shop"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("accepted are: dns, dns+srv, etcd, file"));
}
