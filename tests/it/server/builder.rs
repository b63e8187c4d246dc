//! Mistakes are found when the server is built, and named.

use std::time::Duration;

use rpc::{
    Instance, MemoryRegistry,
    grpc::ServerConfig,
    lanes::LaneHook,
    net::SocketOptions,
    server::{HealthReporter, Server, ServerBuilder},
};

use super::support::{Gate, Other};

fn good() -> ServerBuilder {
    Server::builder().add_service(Gate::new())
}

#[test]
fn each_mistake_names_its_field() {
    let cases: Vec<(&str, ServerBuilder)> = vec![
        ("add_service", Server::builder()),
        ("add_service", good().add_service(Gate::new())),
        ("lanes", good().lanes(LaneHook::outbound())),
        ("max_connections", good().max_connections(0)),
        ("handshake_timeout", good().handshake_timeout(Duration::ZERO)),
        ("socket.keepalive", {
            let mut options = SocketOptions::default();
            options.keepalive = Some(Duration::from_millis(500));
            good().socket(options)
        }),
        ("max_message_bytes", good().max_message_bytes(0)),
        ("max_metadata_bytes", good().max_metadata_bytes(0)),
        // The framed protocol holds no more.
        ("max_metadata_bytes", good().max_metadata_bytes(128 << 10)),
        ("max_concurrent_streams", good().max_concurrent_streams(0)),
        (
            "framed",
            good()
                .framed(rpc::framed::ServerConfig::default())
                .without_framed(),
        ),
        ("stream_grace", good().stream_grace(Duration::from_secs(21))),
        (
            "stream_grace",
            good()
                .shutdown_grace(Duration::from_secs(1))
                .stream_grace(Duration::from_secs(2)),
        ),
        ("health", good().health(HealthReporter::new()).without_health()),
        ("instance", good().instance(Instance::new("a"))),
        ("register", good().register(MemoryRegistry::new(), "")),
        ("max_frame_bytes", {
            let mut config = ServerConfig::default();
            config.max_frame_bytes = 1;
            good().grpc(config)
        }),
    ];
    for (index, (field, builder)) in cases.into_iter().enumerate() {
        let error = builder.build().expect_err(field);
        assert_eq!(error.field(), field, "case {index}: {error}");
        assert!(
            error.to_string().len() > field.len() + 10,
            "it says what is accepted: {error}"
        );
    }
}

#[test]
fn a_service_that_is_there_twice_is_named() {
    let error = good()
        .add_service(Other)
        .add_service(Gate::new())
        .build()
        .unwrap_err();
    assert!(error.to_string().contains("test.v1.Gate"), "{error}");
}

#[test]
fn what_is_no_mistake_builds() {
    let cases = [
        good(),
        good().without_health(),
        good()
            .without_health()
            .health(HealthReporter::new())
            .register(MemoryRegistry::new(), "shop"),
        good().max_metadata_bytes((64 << 10) - 1),
        good().max_metadata_bytes(128 << 10).without_framed(),
        good()
            .max_metadata_bytes(128 << 10)
            .framed(rpc::framed::ServerConfig::default()),
        // What is said last counts.
        good()
            .without_framed()
            .framed(rpc::framed::ServerConfig::default()),
        good().shutdown_grace(Duration::from_secs(1)),
        good().shutdown_grace(Duration::ZERO).notice(Duration::ZERO),
        good()
            .register(MemoryRegistry::new(), "shop")
            .instance(Instance::new("a")),
        // A limit of zero that is mended afterwards.
        good().max_connections(0).max_connections(1),
    ];
    for builder in cases {
        drop(builder.build().unwrap());
    }
}

#[test]
fn a_server_needs_no_runtime_to_be_built_and_dropped() {
    let server = good().build().unwrap();
    let handle = server.handle();
    handle.shutdown();
    drop(server);
}

#[tokio::test]
async fn a_text_that_is_no_address_is_refused() {
    let error = good().build().unwrap().bind("not an address").await.unwrap_err();
    assert!(error.is_invalid_address());
    assert!(error.to_string().contains("not an address"), "{error}");
    let none: [&str; 0] = [];
    assert!(good().build().unwrap().bind(none).await.is_err());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let bound = good().build().unwrap().bind("127.0.0.1:0").await.unwrap();
    let error = good()
        .build()
        .unwrap()
        .bind(&bound.local_addresses()[0])
        .await
        .unwrap_err();
    assert!(error.is_address_in_use());
    assert_eq!(error.address(), Some(&bound.local_addresses()[0]));
}
