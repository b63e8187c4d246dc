//! The two places for layers, and the order in them.

use std::sync::{Arc, Mutex};

use rpc::{Client, Code, OwnedCall, Reply, Status, server::Server, stage::CallService};
use tower::util::service_fn;
use tower_layer::{Layer, layer_fn};
use tower_service::Service;

use super::support::{Gate, GateClient, Running, quiet};

type Log = Arc<Mutex<Vec<String>>>;

/// Writes down what passes.
#[derive(Clone)]
struct Writes<S> {
    inner: S,
    name: &'static str,
    log: Log,
}

fn writes<S>(
    name: &'static str,
    log: &Log,
) -> impl Layer<S, Service = Writes<S>> + Clone + Send + Sync + 'static {
    let log = Arc::clone(log);
    layer_fn(move |inner| Writes {
        inner,
        name,
        log: Arc::clone(&log),
    })
}

impl<S: Service<OwnedCall, Response = Reply, Error = Status>> Service<OwnedCall> for Writes<S> {
    type Response = Reply;
    type Error = Status;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Status>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: OwnedCall) -> S::Future {
        self.log
            .lock()
            .unwrap()
            .push(format!("{} {}", self.name, call.method.path()));
        self.inner.call(call)
    }
}

impl<S: Service<http::Request<B>>, B> Service<http::Request<B>> for Writes<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> S::Future {
        self.log
            .lock()
            .unwrap()
            .push(format!("{} {}", self.name, request.uri().path()));
        self.inner.call(request)
    }
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[tokio::test]
async fn http_layers_are_outside_and_the_first_is_the_outermost() {
    let log = Log::default();
    let builder = quiet(&Gate::new())
        .layer(writes("call 1", &log))
        .http_layer(writes("http 1", &log))
        .layer(writes("call 2", &log))
        .http_layer(writes("http 2", &log));
    let running = Running::start(builder).await;
    assert_eq!(running.client().echo(1).await.unwrap(), 1);
    let names = ["http 1", "http 2", "call 1", "call 2"];
    assert_eq!(
        taken(&log),
        names.map(|name| format!("{name} /test.v1.Gate/Echo"))
    );
    running.stop().await;
}

#[tokio::test]
async fn layers_see_what_nobody_offers() {
    let log = Log::default();
    let running = Running::start(quiet(&Gate::new()).layer(writes("call", &log))).await;
    let status = running.client().absent().await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unimplemented, Some("SERVICE_UNKNOWN"))
    );
    assert!(taken(&log).contains(&"call /test.v1.Nowhere/Absent".to_owned()));
    running.stop().await;
}

#[tokio::test]
async fn callers_in_this_process_pass_the_call_layers_alone() {
    let log = Log::default();
    let server = Server::builder()
        .add_service(Gate::new())
        .layer(writes("call", &log))
        .http_layer(writes("http", &log))
        .build()
        .unwrap();
    let client = Client::builder()
        .target("local:///gate")
        .local(server.dispatch())
        .build()
        .unwrap();
    assert_eq!(GateClient(client.into()).echo(4).await.unwrap(), 4);
    assert_eq!(taken(&log), ["call /test.v1.Gate/Echo"]);
}

#[tokio::test]
async fn a_layer_that_panics_fails_its_call_alone() {
    let layer = layer_fn(|inner: CallService| {
        service_fn(move |call: OwnedCall| {
            assert!(call.metadata.get("x-panic").is_none(), "a layer with a fault");
            inner.clone().call(call)
        })
    });
    let running = Running::start(quiet(&Gate::new()).layer(layer)).await;
    let client = running.client();
    let status = client.echo_with(1, "x-panic", "now").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert_eq!(client.echo(2).await.unwrap(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_handler_does_not_run_twice_because_a_layer_could_not_tell_of_it() {
    // It is bound, and does not listen: nobody else can get the port meanwhile.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = format!("static://{}", silent.local_addr().unwrap());
    for framed in [false, true] {
        let auditor = GateClient(Client::builder().target(nobody.clone()).build().unwrap().into());
        let layer = layer_fn(move |inner: CallService| {
            let auditor = auditor.clone();
            service_fn(move |call: OwnedCall| {
                let (mut inner, auditor) = (inner.clone(), auditor.clone());
                async move {
                    let reply = inner.call(call).await?;
                    auditor.wait(1).await?;
                    Ok::<_, Status>(reply)
                }
            })
        });
        let gate = Gate::new();
        gate.open(10);
        let first = Running::start(quiet(&gate).layer(layer.clone())).await;
        let second = Running::start(quiet(&gate).layer(layer)).await;
        let both = format!("static://{},{}", first.addresses[0], second.addresses[0]);
        let client = Client::builder()
            .target(both)
            .prefer_framed(framed)
            .build()
            .unwrap();
        let status = GateClient(client.into()).wait(1).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.was_processed(), "{status}");
        gate.arrived().await;
        assert!(!gate.has_arrived(), "it ran twice");
        first.stop().await;
        second.stop().await;
    }
}
