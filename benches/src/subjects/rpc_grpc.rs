//! Ours over gRPC, with everything that a client and a server have by default; and the same over one connection, where a client
//! would spread its calls over several.

use rpc::{
    Client, Server,
    grpc::{ClientConfig, Spread},
};

use super::{
    Subject,
    service::{EchoClient, EchoServer, Implementation},
};
use crate::{
    cell::{Cell, Scenario},
    shape::Shape,
};

pub(crate) struct RpcGrpc {
    stub: EchoClient,
    _client: Client,
}

impl Subject for RpcGrpc {
    const NAME: &'static str = "rpc-grpc";

    type Address = String;
    type Caller = EchoClient;

    fn takes(cell: &Cell) -> bool {
        !matches!(cell.scenario, Scenario::Layers(_) | Scenario::Frame)
    }

    async fn serve() -> String {
        let server = Server::builder()
            .add_service(EchoServer::new(Implementation))
            .build()
            .expect("a server");
        let bound = server.bind("127.0.0.1:0").await.expect("a free port");
        let address = bound.local_addresses()[0].to_string();
        tokio::spawn(bound.serve());
        address
    }

    async fn connect(address: String) -> Self {
        Self::with(address, ClientConfig::default()).await
    }

    fn caller(&self) -> EchoClient {
        self.stub.clone()
    }
}

impl RpcGrpc {
    async fn with(address: String, config: ClientConfig) -> Self {
        let client = Client::builder()
            .target(format!("static://{address}"))
            .grpc(config)
            .build()
            .expect("a client");
        client.ready().await.expect("a connection");
        Self {
            stub: EchoClient::new(&client),
            _client: client,
        }
    }
}

/// Spreads nothing.
pub(crate) struct RpcGrpcOne(RpcGrpc);

impl Subject for RpcGrpcOne {
    const NAME: &'static str = "rpc-grpc-one";

    type Address = String;
    type Caller = EchoClient;

    fn takes(cell: &Cell) -> bool {
        // Elsewhere it is the same.
        cell.shape == Shape::Shared && cell.concurrency > 1 && RpcGrpc::takes(cell)
    }

    async fn serve() -> String {
        RpcGrpc::serve().await
    }

    async fn connect(address: String) -> Self {
        let mut config = ClientConfig::default();
        config.spread = Spread::NONE;
        Self(RpcGrpc::with(address, config).await)
    }

    fn caller(&self) -> EchoClient {
        self.0.caller()
    }
}
