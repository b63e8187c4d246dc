//! Ours in process: typed hand-over through the same pipelines.

use rpc::{Client, Server};

use super::{
    Subject,
    service::{EchoClient, EchoServer, Implementation},
};
use crate::shape::Runtimes;

pub(crate) struct RpcLocal {
    stub: EchoClient,
    _client: Client,
}

impl Subject for RpcLocal {
    const NAME: &'static str = "rpc-local";
    const IN_PROCESS: bool = true;

    type Caller = EchoClient;

    fn start(runtimes: &Runtimes) -> Self {
        runtimes.client().block_on(async {
            let server = Server::builder()
                .add_service(EchoServer::new(Implementation))
                .build()
                .expect("a server");
            let client = Client::builder()
                .target("local:///echo")
                .local(server.dispatch())
                .build()
                .expect("a client");
            Self {
                stub: EchoClient::new(&client),
                _client: client,
            }
        })
    }

    fn caller(&self) -> EchoClient {
        self.stub.clone()
    }
}
