//! Ours with layers that have nothing to do but look and count: what a layer costs by the way it is made.

mod hook;
mod stage;
mod user;

use rpc::{
    Channel, Client, Server, Stage,
    governance::client::deadline::{DeadlineLayer, DeadlinePolicy},
    lb::{PickLayer, ToLink},
    server::Dispatch,
    stage::SharedStage,
};
use tower_layer::Layer as _;

use self::{hook::CountHook, stage::CountStage, user::CountLayer};
use super::{
    Subject,
    service::{EchoClient, EchoServer, Implementation},
};
use crate::{
    cell::{Cell, Layers, Scenario},
    peer::Peer,
};

pub(super) fn all() -> [Peer; 9] {
    [
        Peer::new::<Frame>(),
        Peer::new::<Layered<0, false>>(),
        Peer::new::<Layered<1, false>>(),
        Peer::new::<Layered<2, false>>(),
        Peer::new::<Layered<3, false>>(),
        Peer::new::<Layered<0, true>>(),
        Peer::new::<Layered<1, true>>(),
        Peer::new::<Layered<2, true>>(),
        Peer::new::<Layered<3, true>>(),
    ]
}

/// Six layers of one kind on the client's side; `KIND` is the place in [`Layers::ALL`]. With `WIRE` calls go over gRPC,
/// else they stay in the process.
struct Layered<const KIND: usize, const WIRE: bool> {
    stub: EchoClient,
    _client: Client,
}

#[derive(Clone)]
enum Address {
    Wire(String),
    Local(Dispatch),
}

impl<const KIND: usize, const WIRE: bool> Subject for Layered<KIND, WIRE> {
    const NAME: &'static str = if WIRE { "rpc-grpc" } else { "rpc-local" };
    const AT_ONCE: u32 = if WIRE { 1 } else { 64 };

    type Address = Address;
    type Caller = EchoClient;

    fn takes(cell: &Cell) -> bool {
        cell.scenario == Scenario::Layers(Layers::ALL[KIND]) && (WIRE || cell.concurrency == 1)
    }

    async fn serve() -> Address {
        if WIRE {
            Address::Wire(super::RpcGrpc::serve().await)
        } else {
            let server = Server::builder()
                .add_service(EchoServer::new(Implementation))
                .build();
            Address::Local(server.expect("a server").dispatch())
        }
    }

    async fn connect(address: Address) -> Self {
        let mut builder = match address {
            Address::Wire(address) => Client::builder().target(format!("static://{address}")),
            Address::Local(dispatch) => Client::builder().target("local:///echo").local(dispatch),
        };
        match Layers::ALL[KIND] {
            Layers::Hooks => builder = (0..6).fold(builder, |builder, _| builder.hook(CountHook::default())),
            Layers::Tower => builder = (0..6).fold(builder, |builder, _| builder.layer(CountLayer)),
            Layers::None | Layers::Boxed => {}
        }
        let client = builder.build().expect("a client");
        client.ready().await.expect("a connection");
        let channel = match Layers::ALL[KIND] {
            Layers::Boxed => Channel::new((0..6).fold(SharedStage::new(below(&client)), |inner, _| {
                SharedStage::new(CountStage::new(inner))
            })),
            _ => client.channel().clone(),
        };
        Self {
            stub: EchoClient::new(channel),
            _client: client,
        }
    }

    fn caller(&self) -> EchoClient {
        self.stub.clone()
    }
}

/// The whole stack above a transport: both pipelines, six layers in each, and typed hand-over between them.
pub(crate) struct Frame {
    stub: EchoClient,
    _client: Client,
}

impl Subject for Frame {
    const NAME: &'static str = "rpc-local";
    const AT_ONCE: u32 = 64;

    type Address = Dispatch;
    type Caller = EchoClient;

    fn takes(cell: &Cell) -> bool {
        cell.scenario == Scenario::Frame
    }

    async fn serve() -> Dispatch {
        let server = Server::builder().add_service(EchoServer::new(Implementation));
        let server = (0..6).fold(server, |server, _| server.hook(CountHook::default()));
        server.build().expect("a server").dispatch()
    }

    async fn connect(dispatch: Dispatch) -> Self {
        let client = Client::builder().target("local:///echo").local(dispatch);
        let client = (0..6).fold(client, |client, _| client.hook(CountHook::default()));
        let client = client.build().expect("a client");
        client.ready().await.expect("it is in this process");
        Self {
            stub: EchoClient::new(&client),
            _client: client,
        }
    }

    fn caller(&self) -> EchoClient {
        self.stub.clone()
    }
}

/// What a client has below its layers, composed as it does itself.
fn below(client: &Client) -> impl Stage + use<> {
    let pick = PickLayer::new(client.endpoints().clone()).layer(ToLink);
    DeadlineLayer::new(DeadlinePolicy::default()).layer(pick)
}
