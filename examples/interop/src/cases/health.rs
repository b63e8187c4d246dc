//! Health: what a server says of itself, and where a client's calls go then.
//!
//! grpc-go's client has no such cases. The server's health is set by a service of gRPC's tests with xDS.

use std::{collections::BTreeSet, time::Duration};

use rpc::{
    Client, Code, MethodDescriptor, Request, Server, Shape, client,
    codec::{MessageCodec, MethodTypes, Prost},
    lb::{HealthConfig, RoundRobin, Snapshot},
    server::{ServeError, ServerHandle},
};
use tokio::task::JoinHandle;

use super::{Failure, Outcome, Peer, expect};
use crate::{
    service::Implementation,
    testing::{
        Empty, SimpleRequest, TestService, TestServiceClient, TestServiceServer, XdsUpdateHealthService,
        XdsUpdateHealthServiceClient,
    },
};

const SERVICE: &str = "grpc.testing.TestService";
/// The id that our server answers with; others have none.
const OURS: &str = "rpc";

// The question for the server as a whole has no bytes; what is answered is of no interest here.
static CHECK_METHOD: MethodDescriptor =
    MethodDescriptor::new("/grpc.health.v1.Health/Check", Shape::Unary).codecs(&["proto"]);
static EMPTY: [MessageCodec<Empty>; 1] = [MessageCodec::of::<Prost>()];
static CHECK: MethodTypes<Empty, Empty> = MethodTypes::new(&CHECK_METHOD, &EMPTY, &EMPTY);

/// While the server says that it does not serve, calls go to another one. A service that it does not know does not serve.
pub(super) async fn health_watch(peer: Peer) -> Outcome {
    let health = XdsUpdateHealthServiceClient::new(&peer.channel);
    let pair = Pair::start(&peer.server, SERVICE).await?;
    pair.until_both_have_said_something().await;
    for _ in 0..2 {
        pair.until(|snapshot| snapshot.counts().sick == 0).await;
        expect("the ids", pair.ids().await?, ids(["", OURS]))?;
        health.set_not_serving(Request::new(Empty {})).await?;
        pair.until(|snapshot| snapshot.counts().sick == 1).await;
        expect("the ids", pair.ids().await?, ids([OURS]))?;
        health.set_serving(Request::new(Empty {})).await?;
    }
    pair.stop().await?;

    // Neither knows it; where nobody serves, all get calls.
    let pair = Pair::start(&peer.server, "grpc.testing.Nobody").await?;
    pair.until(|snapshot| snapshot.counts().sick == 2).await;
    expect("the ids", pair.ids().await?, ids(["", OURS]))?;
    pair.stop().await
}

/// A server without a health service serves.
pub(super) async fn health_unimplemented(peer: Peer) -> Outcome {
    let check = client::unary(&peer.channel, &CHECK, Request::new(Empty {})).await;
    expect(
        "the code",
        check.err().map(|status| status.code()),
        Some(Code::Unimplemented),
    )?;
    let pair = Pair::start(&peer.server, SERVICE).await?;
    pair.until_both_have_said_something().await;
    expect(
        "the number of sick ones",
        pair.client.endpoints().snapshot().counts().sick,
        0,
    )?;
    expect("the ids", pair.ids().await?, ids(["", OURS]))?;
    pair.stop().await
}

/// The peer and a server of ours, and a client that asks both for their health and calls them in turn.
struct Pair {
    client: Client,
    ours: ServerHandle,
    serves: JoinHandle<Result<(), ServeError>>,
}

impl Pair {
    async fn start(peer: &str, service: &str) -> Result<Self, Failure> {
        let ours = Server::builder()
            .add_service(TestServiceServer::new(Implementation::new()))
            .notice(Duration::ZERO)
            .without_signals()
            .build()?
            .bind("127.0.0.1:0")
            .await?;
        let client = Client::builder()
            .target(format!("static://{peer},{}", ours.local_addresses()[0]))
            .balancer(RoundRobin::new())
            .health(HealthConfig::new().with_watch(service))
            .build()?;
        let pair = Self {
            client,
            ours: ours.handle(),
            serves: tokio::spawn(ours.serve()),
        };
        pair.client.ready().await?;
        pair.until(|snapshot| snapshot.ready().len() == 2).await;
        Ok(pair)
    }

    /// Who answers, of as many calls as make it certain that everybody has a turn.
    async fn ids(&self) -> Result<BTreeSet<String>, Failure> {
        let test = TestServiceClient::new(&self.client);
        let mut ids = BTreeSet::new();
        for _ in 0..10 {
            let request = SimpleRequest {
                fill_server_id: true,
                ..Default::default()
            };
            let response = test.unary_call(Request::new(request)).await?;
            ids.insert(response.into_inner().server_id);
        }
        Ok(ids)
    }

    /// Who has said nothing yet gets a smaller share.
    async fn until_both_have_said_something(&self) {
        self.until(|_| {
            let view = self.client.endpoints().view();
            view.iter().all(|endpoint| endpoint.weight > 99.0)
        })
        .await;
    }

    /// Waits for as long as it takes: whoever runs a case has a limit for it.
    async fn until(&self, is_so: impl Fn(&Snapshot) -> bool) {
        while !is_so(&self.client.endpoints().snapshot()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn stop(self) -> Outcome {
        self.client.close().await;
        self.ours.shutdown();
        Ok(self.serves.await??)
    }
}

fn ids<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}
