//! Ours over gRPC, with everything that a client and a server have by default.

use bytes::Bytes;
use rpc::{Client, Server};

use super::{
    Caller, Subject,
    service::{Echo, EchoClient, EchoServer, Implementation, Payload},
};
use crate::shape::Runtimes;

pub(crate) struct RpcGrpc {
    stub: EchoClient,
    _client: Client,
}

impl Subject for RpcGrpc {
    const NAME: &'static str = "rpc-grpc";

    type Caller = EchoClient;

    fn start(runtimes: &Runtimes) -> Self {
        let address = runtimes.server().block_on(async {
            let server = Server::builder()
                .add_service(EchoServer::new(Implementation))
                .build()
                .expect("a server");
            let bound = server.bind("127.0.0.1:0").await.expect("a free port");
            let address = bound.local_addresses()[0].clone();
            tokio::spawn(bound.serve());
            address
        });
        runtimes.client().block_on(async {
            let client = Client::builder()
                .target(format!("static://{address}"))
                .build()
                .expect("a client");
            client.ready().await.expect("a connection");
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

impl Caller for EchoClient {
    async fn unary(&mut self, body: Bytes) -> Bytes {
        Echo::unary(self, Payload { body })
            .await
            .expect("the call succeeds")
            .body
    }

    async fn stream(&mut self, body: Bytes) -> usize {
        let mut stream = Echo::stream(self, Payload { body })
            .await
            .expect("the call succeeds");
        let mut count = 0;
        while stream.message().await.expect("the stream goes on").is_some() {
            count += 1;
        }
        count
    }
}
