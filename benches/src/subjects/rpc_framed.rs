//! Ours over the framed protocol, with everything that a client and a server have by default.

use rpc::{Client, Server};

use super::{
    Subject,
    service::{EchoClient, EchoServer, Implementation},
};
use crate::cell::{Cell, Scenario};

pub(crate) struct RpcFramed {
    stub: EchoClient,
    _client: Client,
}

impl Subject for RpcFramed {
    const NAME: &'static str = "rpc-framed";

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
        let client = Client::builder()
            .target(format!("static://{address}"))
            .prefer_framed(true)
            .build()
            .expect("a client");
        client.ready().await.expect("a connection");
        Self {
            stub: EchoClient::new(&client),
            _client: client,
        }
    }

    fn caller(&self) -> EchoClient {
        self.stub.clone()
    }
}
