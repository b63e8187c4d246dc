//! The peer volo-grpc, with its defaults.

use std::net::SocketAddr;

use benches::{Caller, Cell, STREAM_LEN, Scenario, Subject};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::net::TcpListener;
use volo::net::{Address, incoming::DefaultIncoming};
use volo_grpc::{
    BoxStream, Request, Response, Status,
    server::{Server, ServiceBuilder},
};

use self::grpc_gen::bench::{Echo, EchoClient, EchoClientBuilder, EchoServer, Payload};

include!(concat!(env!("OUT_DIR"), "/grpc_gen.rs"));

struct Implementation;

impl Echo for Implementation {
    async fn unary(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn unary_yield(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        tokio::task::yield_now().await;
        Ok(Response::new(request.into_inner()))
    }

    async fn stream(
        &self,
        request: Request<Payload>,
    ) -> Result<Response<BoxStream<'static, Result<Payload, Status>>>, Status> {
        let repeated = std::iter::repeat_n(request.into_inner(), STREAM_LEN);
        Ok(Response::new(stream::iter(repeated.map(Ok)).boxed()))
    }
}

pub(crate) struct VoloGrpc(EchoClient);

impl Subject for VoloGrpc {
    const NAME: &'static str = "volo-grpc";

    type Address = SocketAddr;
    type Caller = Stub;

    fn takes(cell: &Cell) -> bool {
        matches!(
            cell.scenario,
            Scenario::Unary | Scenario::UnaryYield | Scenario::ServerStreaming | Scenario::OpenLoop { .. }
        )
    }

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let service = ServiceBuilder::new(EchoServer::new(Implementation)).build();
        tokio::spawn(
            Server::new()
                .add_service(service)
                .run(DefaultIncoming::from(listener)),
        );
        address
    }

    async fn connect(address: SocketAddr) -> Self {
        let client = EchoClientBuilder::new("bench")
            .address(Address::from(address))
            .build();
        Self(client)
    }

    fn caller(&self) -> Stub {
        Stub(self.0.clone())
    }
}

/// The generated client has functions of the same names.
#[derive(Clone)]
pub(crate) struct Stub(EchoClient);

impl Caller for Stub {
    async fn unary(&mut self, body: Bytes) -> Bytes {
        let reply = self.0.unary(Payload { body }).await;
        reply.expect("the call succeeds").into_inner().body
    }

    async fn unary_yield(&mut self, body: Bytes) -> Bytes {
        let reply = self.0.unary_yield(Payload { body }).await;
        reply.expect("the call succeeds").into_inner().body
    }

    async fn stream(&mut self, body: Bytes) -> usize {
        let reply = self.0.stream(Payload { body }).await;
        let mut messages = reply.expect("the call succeeds").into_inner();
        let mut count = 0;
        while let Some(message) = messages.next().await {
            message.expect("the stream goes on");
            count += 1;
        }
        count
    }
}
