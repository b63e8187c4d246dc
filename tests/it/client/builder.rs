//! Mistakes are found by `build`, which names the method to mend.

use std::time::Duration;

use rpc::{
    BuildError, Client, ClientBuilder, MemoryRegistry,
    lanes::LaneHook,
    lb::{
        HealthConfig,
        balance::{HashKey, RingHash},
    },
    net::SocketOptions,
    prelude::*,
    transport::LocalTransport,
};

use super::support::{EchoServer, Named};

fn usable() -> ClientBuilder {
    Client::builder().target("static://127.0.0.1:1")
}

fn dispatch() -> rpc::server::Dispatch {
    Server::builder()
        .add_service(EchoServer::new(Named("x".to_owned())))
        .build()
        .unwrap()
        .dispatch()
}

/// More than the framed protocol holds.
fn much_metadata() -> rpc::grpc::ClientConfig {
    let mut config = rpc::grpc::ClientConfig::default();
    config.max_metadata_bytes = 128 << 10;
    config
}

fn refused(builder: ClientBuilder) -> BuildError {
    builder.build().expect_err("it was accepted")
}

/// Each of these is refused for that method, with a problem that says so.
fn refused_as_said(cases: Vec<(&str, ClientBuilder, &str)>) {
    for (field, builder, problem) in cases {
        let error = refused(builder);
        assert_eq!(error.field(), field, "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn mistakes_name_the_method() {
    let cases = vec![
        ("target", Client::builder(), "is required"),
        (
            "target",
            Client::builder().target("127.0.0.1:1"),
            "static://127.0.0.1:1",
        ),
        (
            "target",
            Client::builder().target("http://127.0.0.1:1"),
            "local, static, unix",
        ),
        ("target", Client::builder().target("static://"), "no address"),
        (
            "target",
            Client::builder().target("static://nowhere"),
            "`nowhere` is not an address",
        ),
        ("target", Client::builder().target("unix:"), "no path"),
        (
            "target",
            Client::builder()
                .target("memory:///")
                .registry(MemoryRegistry::new()),
            "no name",
        ),
        (
            "registry",
            Client::builder().target("memory:///shop"),
            ".registry(memory.clone())",
        ),
        (
            "local",
            Client::builder().target("local:///shop"),
            ".local(server.dispatch())",
        ),
        ("local", usable().local(dispatch()), "`local:` targets only"),
        (
            "max_metadata_bytes",
            usable().grpc(much_metadata()),
            "prefer_framed(false)",
        ),
        (
            "default_timeout",
            usable().default_timeout(Duration::ZERO),
            "without_default_timeout",
        ),
        (
            "health",
            usable().health(HealthConfig::new().with_panic(2.0)),
            "`panic` must be between 0 and 1",
        ),
        ("codec", usable().codec(""), "content-subtype"),
        ("codec", usable().codec("JSON"), "content-subtype"),
        ("compression", usable().compression("lzma"), "accepted: identity"),
        ("connect_eagerly", usable().connect_eagerly(true), "runtime"),
        (
            "balancer",
            usable().balancer(RingHash::new(HashKey::metadata("X-User"))),
            "`key` is nothing that calls have: metadata `X-User`",
        ),
        (
            "lanes",
            usable().lanes(LaneHook::inbound()),
            "`LaneHook::outbound()`",
        ),
        (
            "link.connect_timeout",
            usable().grpc(no_connect_timeout()),
            "longer than nothing",
        ),
        ("socket.keepalive", usable().socket(hasty()), "1 s to 32,767 s"),
    ];
    refused_as_said(cases);
}

#[test]
fn contradictions_name_one_of_the_methods() {
    let cases = vec![
        (
            "local",
            Client::builder()
                .target("local:///shop")
                .local(dispatch())
                .transport(LocalTransport::new(dispatch())),
            "transport of your own",
        ),
        (
            "framed",
            usable()
                .framed(rpc::framed::ClientConfig::default())
                .prefer_framed(false),
            "prefer_framed(false)",
        ),
        (
            "default_timeout",
            usable()
                .default_timeout(Duration::from_secs(1))
                .without_governance(),
            "without_governance",
        ),
        (
            "grpc",
            Client::builder()
                .target("local:///shop")
                .local(dispatch())
                .grpc(rpc::grpc::ClientConfig::default()),
            "`local:` target",
        ),
        (
            "grpc",
            usable()
                .transport(LocalTransport::new(dispatch()))
                .grpc(rpc::grpc::ClientConfig::default()),
            "transport of your own",
        ),
        (
            "socket",
            Client::builder()
                .target("local:///shop")
                .local(dispatch())
                .socket(SocketOptions::default()),
            "`local:` target",
        ),
        (
            "socket",
            usable()
                .transport(LocalTransport::new(dispatch()))
                .socket(SocketOptions::default()),
            "transport of your own",
        ),
    ];
    refused_as_said(cases);
}

#[cfg(feature = "tls")]
#[test]
fn tls_needs_a_wire() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = rpc::net::tls::ClientTls::builder()
        .trust_pem(certified.cert.pem())
        .build()
        .unwrap();
    let error = refused(
        Client::builder()
            .target("local:///shop")
            .local(dispatch())
            .tls(tls),
    );
    assert_eq!(error.field(), "tls");
}

/// Probes more often than any system takes.
fn hasty() -> SocketOptions {
    let mut options = SocketOptions::default();
    options.keepalive = Some(Duration::from_millis(500));
    options
}

fn no_connect_timeout() -> rpc::grpc::ClientConfig {
    let mut config = rpc::grpc::ClientConfig::default();
    config.link.connect_timeout = Duration::ZERO;
    config
}

#[test]
fn building_and_dropping_need_no_runtime() {
    for target in [
        "static://127.0.0.1:1,[::1]:2,shop:3",
        "unix:/nowhere.sock",
        "memory:///shop",
        "STATIC://a:1",
    ] {
        let client = Client::builder()
            .target(target)
            .registry(MemoryRegistry::new())
            .build()
            .unwrap();
        drop(client);
    }
    drop(
        Client::builder()
            .target("local:///shop")
            .local(dispatch())
            .build()
            .unwrap(),
    );
}

#[tokio::test]
async fn a_transport_of_ones_own_gets_every_target() {
    let client = usable()
        .transport(LocalTransport::new(dispatch()))
        .build()
        .unwrap();
    let name = super::support::EchoClient::new(&client);
    assert_eq!(super::support::Echo::name(&name).await.unwrap(), "x");
}
