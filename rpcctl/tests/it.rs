//! The program itself against a server of ours.

use std::process::Output;

use rpc::{Server, server::HealthReporter};
use tokio::process::Command;

/// A server needs a service.
#[rpc::service(package = "test.v1")]
trait Nothing {}

struct Nobody;

impl Nothing for Nobody {}

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
    let server = Server::builder()
        .add_service(NothingServer::new(Nobody))
        .health(reporter.clone())
        .without_signals()
        .build()
        .expect("a server");
    let server = server.bind("127.0.0.1:0").await.expect("a free port");
    let address = server.local_addresses()[0].to_string();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

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
    reporter.set("", rpc::server::ServingStatus::NotServing);
    assert_eq!(
        printed(&rpcctl(&["health", &address]).await),
        (Some(4), "NOT_SERVING".to_owned())
    );

    handle.shutdown();
    serving.await.expect("no panic").expect("a clean stop");
    assert_eq!(rpcctl(&["health", &address]).await.status.code(), Some(2));
    assert_eq!(rpcctl(&["health"]).await.status.code(), Some(1));
}
