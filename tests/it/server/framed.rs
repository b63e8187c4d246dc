//! gRPC and the framed protocol on one port, and who speaks which.

use std::sync::{Arc, Mutex};

use rpc::{
    BoxError, Client, Context, MemoryRegistry, OwnedCall, Reply, Status,
    framed::{ClientConfig, ServerConfig},
    stage::CallService,
};
use tower::{Layer, Service, ServiceExt as _};

use super::support::{Gate, GateClient, Running, in_time, quiet, target};

/// Notes over which protocol calls come.
#[derive(Clone, Default)]
struct Protocols(Arc<Mutex<Vec<&'static str>>>);

impl Layer<CallService> for Protocols {
    type Service = tower::util::BoxCloneSyncService<OwnedCall, Reply, BoxError>;

    fn layer(&self, inner: CallService) -> Self::Service {
        let seen = self.clone();
        tower::util::BoxCloneSyncService::new(tower::service_fn(move |call: OwnedCall| {
            if let Some(caller) = call.context.caller() {
                seen.0.lock().unwrap().push(caller.protocol());
            }
            let mut inner = inner.clone();
            async move { inner.ready().await?.call(call).await.map_err(BoxError::from) }
        }))
    }
}

impl Protocols {
    fn take(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn one_call(client: Client) {
    assert_eq!(
        GateClient(client.into()).echo(7).await.expect("it is answered"),
        7
    );
}

#[tokio::test]
async fn both_are_spoken_on_one_port_by_whoever_asks_for_them() {
    let seen = Protocols::default();
    let running = Running::start(quiet(&Gate::new()).layer(seen.clone())).await;
    let to = || Client::builder().target(target(&running.addresses[0]));
    one_call(to().build().unwrap()).await;
    assert_eq!(
        seen.take(),
        ["grpc"],
        "an address does not say what is spoken there"
    );
    one_call(to().prefer_framed(true).build().unwrap()).await;
    assert_eq!(seen.take(), ["framed"]);
    running.stop().await;
}

#[tokio::test]
async fn instances_that_list_it_are_called_over_it() {
    let seen = Protocols::default();
    let registry = MemoryRegistry::new();
    let server = quiet(&Gate::new())
        .layer(seen.clone())
        .register(registry.clone(), "shop");
    let running = Running::start(server).await;
    let to = || {
        Client::builder()
            .registry(registry.clone())
            .target("memory:///shop")
    };
    one_call(to().wait_for_ready(true).build().unwrap()).await;
    assert_eq!(seen.take(), ["framed"]);
    one_call(to().wait_for_ready(true).prefer_framed(false).build().unwrap()).await;
    assert_eq!(seen.take(), ["grpc"]);
    running.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_speak_it_is_called_over_grpc() {
    let seen = Protocols::default();
    let running = Running::start(quiet(&Gate::new()).layer(seen.clone()).without_framed()).await;
    let client = Client::builder()
        .target(target(&running.addresses[0]))
        .prefer_framed(true)
        .build()
        .unwrap();
    one_call(client).await;
    assert_eq!(seen.take(), ["grpc"]);
    running.stop().await;
}

#[tokio::test]
async fn http_layers_switch_it_off_unless_it_is_asked_for() {
    let seen = Protocols::default();
    let layered = || {
        quiet(&Gate::new())
            .layer(seen.clone())
            .http_layer(tower::layer::util::Identity::new())
    };
    for (server, spoken) in [
        (layered(), "grpc"),
        (layered().framed(ServerConfig::default()), "framed"),
    ] {
        let running = Running::start(server).await;
        let client = Client::builder()
            .target(target(&running.addresses[0]))
            .framed(ClientConfig::default())
            .prefer_framed(true)
            .build()
            .unwrap();
        one_call(client).await;
        assert_eq!(seen.take(), [spoken]);
        running.stop().await;
    }
}

#[tokio::test]
async fn a_framed_server_stops_as_any_other_does() {
    let gate = Gate::new();
    let running = Running::start(quiet(&gate)).await;
    let client = Client::builder()
        .target(target(&running.addresses[0]))
        .prefer_framed(true)
        .build()
        .unwrap();
    let stub = GateClient(client.into());
    let waiting = stub.clone();
    let waits = tokio::spawn(async move { waiting.wait(3).await });
    gate.arrived().await;
    running.handle.shutdown();
    gate.open(1);
    let answer: Result<u32, Status> = in_time(waits).await.unwrap();
    assert_eq!(answer.expect("it goes on to its end"), 3);
    running.stop().await;
    assert!(Context::current().caller().is_none());
}

#[cfg(unix)]
#[tokio::test]
async fn it_is_spoken_over_unix_sockets() {
    let seen = Protocols::default();
    let path = std::env::temp_dir().join(format!("rpc-framed-{}.sock", std::process::id()));
    let unix = rpc::net::Address::Unix(path.as_path().into());
    let bound = quiet(&Gate::new())
        .layer(seen.clone())
        .build()
        .unwrap()
        .bind(&unix)
        .await
        .unwrap();
    let running = Running::serve(bound);
    let client = Client::builder()
        .target(target(&unix))
        .prefer_framed(true)
        .build()
        .unwrap();
    one_call(client).await;
    assert_eq!(seen.take(), ["framed"]);
    running.stop().await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_agrees_on_it_and_on_grpc_where_it_is_off() {
    use rpc::net::tls::{ClientTls, ServerTls};

    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = certified.cert.pem();
    for (off, spoken) in [(false, "framed"), (true, "grpc")] {
        let seen = Protocols::default();
        let tls = ServerTls::builder()
            .certificate_pem(pem.clone())
            .key_pem(certified.signing_key.serialize_pem())
            .build()
            .unwrap();
        let server = quiet(&Gate::new()).layer(seen.clone()).tls(tls);
        let running = Running::start(if off { server.without_framed() } else { server }).await;
        let trust = ClientTls::builder()
            .trust_pem(pem.clone())
            .server_name("localhost")
            .build()
            .unwrap();
        let client = Client::builder()
            .target(target(&running.addresses[0]))
            .tls(trust)
            .prefer_framed(true)
            .build()
            .unwrap();
        one_call(client).await;
        assert_eq!(seen.take(), [spoken]);
        running.stop().await;
    }
}
