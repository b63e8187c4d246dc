//! Callers without a runtime.

use rpc::prelude::*;

use super::support::{EchoBlockingClient, Running};

#[test]
fn a_thread_without_a_runtime_calls() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Running::start("a"));
    let client = Client::builder()
        .target(server.target())
        .connect_eagerly(true)
        .build_blocking()
        .unwrap();
    client.ready().unwrap();
    let echo = EchoBlockingClient::new(&client, client.blocking());
    assert_eq!(echo.name().unwrap(), "a");
    let numbers: Vec<u32> = echo.count(3).unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(numbers, [1, 2, 3]);
    assert_eq!(
        echo.fail("no".to_owned()).unwrap_err().code(),
        Code::FailedPrecondition
    );
    client.close().unwrap();
    runtime.block_on(server.stop()).unwrap();
}
