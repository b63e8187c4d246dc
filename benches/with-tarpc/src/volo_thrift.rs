//! The peer volo-thrift, multiplexed, else with its defaults: the binary protocol, in frames, inside of `TTHeader`.
//!
//! Its multiplexing is an option that its documentation hides. Without it a connection carries one call at a time,
//! and there is nothing to compare.

use std::net::SocketAddr;

use benches::{Caller, Cell, Scenario, Subject};
use bytes::Bytes;
use tokio::net::TcpListener;
use volo::net::{Address, incoming::DefaultIncoming};
use volo_thrift::ServerError;

use self::generated::thrift_gen::bench::{Echo, EchoClient, EchoClientBuilder, EchoServer, Payload};

#[allow(
    unsafe_code,
    reason = "what volo generates fills buffers without initialising them first"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/thrift_gen.rs"));
}

struct Implementation;

impl Echo for Implementation {
    async fn unary(&self, payload: Payload) -> Result<Payload, ServerError> {
        Ok(payload)
    }

    async fn unary_yield(&self, payload: Payload) -> Result<Payload, ServerError> {
        tokio::task::yield_now().await;
        Ok(payload)
    }
}

pub(crate) struct VoloThrift(EchoClient);

impl Subject for VoloThrift {
    const NAME: &'static str = "volo-thrift";

    type Address = SocketAddr;
    type Caller = Stub;

    fn takes(cell: &Cell) -> bool {
        matches!(
            cell.scenario,
            Scenario::Unary | Scenario::UnaryYield | Scenario::OpenLoop { .. }
        )
    }

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(
            EchoServer::new(Implementation)
                .multiplex(true)
                .run(DefaultIncoming::from(listener)),
        );
        address
    }

    async fn connect(address: SocketAddr) -> Self {
        let client = EchoClientBuilder::new("bench")
            .address(Address::from(address))
            .multiplex(true)
            .build();
        // It connects with its first call.
        let mut stub = Stub(client);
        stub.unary(Bytes::new()).await;
        Self(stub.0)
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
        reply.expect("the call succeeds").body
    }

    async fn unary_yield(&mut self, body: Bytes) -> Bytes {
        let reply = self.0.unary_yield(Payload { body }).await;
        reply.expect("the call succeeds").body
    }
}
