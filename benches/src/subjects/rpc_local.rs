//! Ours in process: typed hand-over through the same pipelines.

use rpc::{Client, Server, server::Dispatch};

use super::{
    Subject,
    service::{EchoClient, EchoServer, Implementation},
};
use crate::cell::{Cell, Scenario};

pub(crate) struct RpcLocal {
    stub: EchoClient,
    _client: Client,
}

impl Subject for RpcLocal {
    const NAME: &'static str = "rpc-local";
    const AT_ONCE: u32 = 64;

    type Address = Dispatch;
    type Caller = EchoClient;

    /// In process there is neither a connection to share nor a message to copy: a lone call says it all.
    fn takes(cell: &Cell) -> bool {
        matches!(cell.scenario, Scenario::Unary | Scenario::UnaryYield) && cell.concurrency == 1
    }

    async fn serve() -> Dispatch {
        let server = Server::builder()
            .add_service(EchoServer::new(Implementation))
            .build()
            .expect("a server");
        server.dispatch()
    }

    async fn connect(dispatch: Dispatch) -> Self {
        let client = Client::builder()
            .target("local:///echo")
            .local(dispatch)
            .build()
            .expect("a client");
        Self {
            stub: EchoClient::new(&client),
            _client: client,
        }
    }

    fn caller(&self) -> EchoClient {
        self.stub.clone()
    }
}
