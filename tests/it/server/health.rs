//! Health, asked over the wire as probes do.

use std::sync::Arc;

use rpc::{
    Channel, Client, Code, MethodDescriptor, Request, Response, Result, Shape, Streaming, client,
    codec::{MessageCodec, MethodTypes, Prost},
    server::{HealthReporter, ServingStatus},
};
use rpc_core::transport::{Link, LinkState, Transport as _};
use rpc_lb::health_watch::{Health, HealthWatch, HealthWatchConfig};

use super::support::{Gate, Running, in_time, quiet, target};

#[derive(Clone, PartialEq, prost::Message)]
struct Asked {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Answered {
    #[prost(int32, tag = "1")]
    status: i32,
}

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;
const SERVICE_UNKNOWN: i32 = 3;

static CHECK_METHOD: MethodDescriptor =
    MethodDescriptor::new("/grpc.health.v1.Health/Check", Shape::Unary).codecs(&["proto"]);
static WATCH_METHOD: MethodDescriptor =
    MethodDescriptor::new("/grpc.health.v1.Health/Watch", Shape::ServerStreaming).codecs(&["proto"]);
static ASKED: [MessageCodec<Asked>; 1] = [MessageCodec::of::<Prost>()];
static ANSWERED: [MessageCodec<Answered>; 1] = [MessageCodec::of::<Prost>()];
static CHECK: MethodTypes<Asked, Answered> = MethodTypes::new(&CHECK_METHOD, &ASKED, &ANSWERED);
static WATCH: MethodTypes<Asked, Answered> = MethodTypes::new(&WATCH_METHOD, &ASKED, &ANSWERED);

fn channel(running: &Running) -> Channel {
    Client::builder()
        .target(target(&running.addresses[0]))
        .build()
        .unwrap()
        .into()
}

async fn check(channel: &Channel, service: &str) -> Result<i32> {
    let request = Request::new(Asked {
        service: service.to_owned(),
    });
    in_time(client::unary(channel, &CHECK, request))
        .await
        .map(|response| response.into_inner().status)
}

async fn watch(channel: &Channel, service: &str) -> Result<Streaming<Answered>> {
    let request = Request::new(Asked {
        service: service.to_owned(),
    });
    in_time(client::server_streaming(channel, &WATCH, request))
        .await
        .map(Response::into_inner)
}

async fn next(stream: &mut Streaming<Answered>) -> i32 {
    in_time(stream.message()).await.unwrap().unwrap().status
}

#[tokio::test]
async fn it_is_on_by_default_and_knows_the_services() {
    let running = Running::start(quiet(&Gate::new())).await;
    let channel = channel(&running);
    assert_eq!(check(&channel, "").await.unwrap(), SERVING);
    assert_eq!(check(&channel, "test.v1.Gate").await.unwrap(), SERVING);
    assert_eq!(
        check(&channel, "test.v1.Nobody").await.unwrap_err().code(),
        Code::NotFound
    );
    let mut watch = watch(&channel, "later").await.unwrap();
    assert_eq!(next(&mut watch).await, SERVICE_UNKNOWN);
    running.health.set("later", ServingStatus::Serving);
    assert_eq!(next(&mut watch).await, SERVING);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_is_told_to_watches_before_they_end() {
    let running = Running::start(quiet(&Gate::new())).await;
    // Streams do not keep the client's connections; the channel does.
    let channel = channel(&running);
    let mut watch = watch(&channel, "test.v1.Gate").await.unwrap();
    assert_eq!(next(&mut watch).await, SERVING);
    running.stop().await;
    assert_eq!(next(&mut watch).await, NOT_SERVING);
    let status = in_time(watch.message()).await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some("DRAINING")),
        "{status}"
    );
}

#[tokio::test]
async fn it_can_be_left_out() {
    let running = Running::start(quiet(&Gate::new()).without_health()).await;
    assert_eq!(
        check(&channel(&running), "").await.unwrap_err().code(),
        Code::Unimplemented
    );
    running.stop().await;
}

/// The client's own watch, over sockets: what the reporter says arrives, and the stop does too.
async fn is_followed(link: Arc<dyn Link>, running: Running) {
    link.connect();
    let mut watch = HealthWatch::new(Arc::clone(&link), "test.v1.Gate", HealthWatchConfig::default());
    assert_eq!(in_time(watch.changed()).await, Some(Health::Serving));
    running.health.set("test.v1.Gate", ServingStatus::NotServing);
    assert_eq!(in_time(watch.changed()).await, Some(Health::NotServing));
    running.health.set("test.v1.Gate", ServingStatus::Serving);
    assert_eq!(in_time(watch.changed()).await, Some(Health::Serving));
    let follow = async {
        // That nothing serves any more is said before the watch ends; both may arrive at once.
        while in_time(watch.changed()).await != Some(Health::Unknown) {}
        drop(watch);
    };
    tokio::join!(running.stop(), follow);
    link.close();
    let mut states = link.state();
    let closed = states.wait_for(|state| matches!(state, LinkState::Closed));
    in_time(closed).await.unwrap();
}

#[tokio::test]
async fn a_clients_watch_follows_it_over_grpc() {
    let running = Running::start(quiet(&Gate::new())).await;
    let transport = rpc_grpc::GrpcTransport::new(rpc_grpc::ClientConfig::default()).unwrap();
    is_followed(transport.link(&running.addresses[0]), running).await;
}

#[cfg(feature = "framed")]
#[tokio::test]
async fn a_clients_watch_follows_it_over_the_framed_protocol() {
    let running = Running::start(quiet(&Gate::new())).await;
    let transport = rpc_framed::FramedTransport::new(rpc_framed::ClientConfig::default()).unwrap();
    is_followed(transport.link(&running.addresses[0]), running).await;
}

#[tokio::test]
async fn a_reporter_whose_server_has_stopped_is_refused() {
    let (gate, health) = (Gate::new(), HealthReporter::new());
    let running = Running::start(quiet(&gate).health(health.clone())).await;
    running.stop().await;
    let error = quiet(&gate).health(health).build().unwrap_err();
    assert_eq!(error.field(), "health");
    assert!(error.to_string().contains("make a new one"), "{error}");
}
