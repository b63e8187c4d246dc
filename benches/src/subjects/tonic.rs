//! The peer tonic: its `Channel` and `Server` with all their defaults.

#![allow(
    clippy::pedantic,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "holds generated code"
)]

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_stream::{Iter, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status, transport::Channel};

use self::{
    echo_client::EchoClient,
    echo_server::{Echo, EchoServer},
};
use super::{Caller, STREAM_LEN, Subject};
use crate::cell::{Cell, Scenario};

tonic::include_proto!("bench");

pub(crate) struct Tonic {
    stub: EchoClient<Channel>,
}

struct Implementation;

type Repeated = Iter<std::iter::Map<std::iter::RepeatN<Payload>, fn(Payload) -> Result<Payload, Status>>>;

#[tonic::async_trait]
impl Echo for Implementation {
    type StreamStream = Repeated;

    async fn unary(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn unary_yield(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        tokio::task::yield_now().await;
        Ok(Response::new(request.into_inner()))
    }

    async fn stream(&self, request: Request<Payload>) -> Result<Response<Repeated>, Status> {
        let repeated = std::iter::repeat_n(request.into_inner(), STREAM_LEN);
        Ok(Response::new(tokio_stream::iter(repeated.map(Ok as fn(_) -> _))))
    }
}

impl Subject for Tonic {
    const NAME: &'static str = "tonic";

    type Address = SocketAddr;
    type Caller = EchoClient<Channel>;

    fn takes(cell: &Cell) -> bool {
        !matches!(cell.scenario, Scenario::Layers(_) | Scenario::Frame)
    }

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tonic::transport::Server::builder().add_service(EchoServer::new(Implementation));
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(
            server.serve_with_incoming(tokio_stream::StreamExt::map(incoming, |stream| {
                // What its own `serve` does by default, and this way in does not.
                stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            })),
        );
        address
    }

    async fn connect(address: SocketAddr) -> Self {
        let stub = EchoClient::connect(format!("http://{address}")).await;
        Self {
            stub: stub.expect("a connection"),
        }
    }

    fn caller(&self) -> EchoClient<Channel> {
        self.stub.clone()
    }
}

impl Caller for EchoClient<Channel> {
    async fn unary(&mut self, body: Bytes) -> Bytes {
        EchoClient::unary(self, Payload { body })
            .await
            .expect("the call succeeds")
            .into_inner()
            .body
    }

    async fn unary_yield(&mut self, body: Bytes) -> Bytes {
        EchoClient::unary_yield(self, Payload { body })
            .await
            .expect("the call succeeds")
            .into_inner()
            .body
    }

    async fn stream(&mut self, body: Bytes) -> usize {
        let mut stream = EchoClient::stream(self, Payload { body })
            .await
            .expect("the call succeeds")
            .into_inner();
        let mut count = 0;
        while stream.message().await.expect("the stream goes on").is_some() {
            count += 1;
        }
        count
    }
}
