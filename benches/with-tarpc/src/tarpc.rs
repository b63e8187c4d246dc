//! The peer tarpc over TCP with bincode, with its defaults; each request in a task, as its documentation has it.

use std::net::SocketAddr;

use benches::{Caller, Cell, Scenario, Subject};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tarpc::{
    client, context, serde_transport,
    server::{BaseChannel, Channel as _},
    tokio_serde::formats::Bincode,
    tokio_util::codec::{Framed, LengthDelimitedCodec},
};
use tokio::net::{TcpListener, TcpStream};

#[tarpc::service]
trait Echo {
    /// The same bytes back.
    async fn unary(body: Bytes) -> Bytes;

    /// The same bytes back, after one turn of the queue.
    async fn unary_yield(body: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Implementation;

impl Echo for Implementation {
    async fn unary(self, _: context::Context, body: Bytes) -> Bytes {
        body
    }

    async fn unary_yield(self, _: context::Context, body: Bytes) -> Bytes {
        tokio::task::yield_now().await;
        body
    }
}

pub(crate) struct Tarpc(EchoClient);

impl Subject for Tarpc {
    const NAME: &'static str = "tarpc";

    type Address = SocketAddr;
    type Caller = Stub;

    fn takes(cell: &Cell) -> bool {
        matches!(
            cell.scenario,
            Scenario::Unary | Scenario::UnaryYield | Scenario::OpenLoop { .. } | Scenario::Connections
        )
    }

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(serve(stream));
            }
        });
        address
    }

    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option that TCP has");
        let transport = serde_transport::new(
            Framed::new(stream, LengthDelimitedCodec::new()),
            Bincode::default(),
        );
        Self(EchoClient::new(client::Config::default(), transport).spawn())
    }

    fn caller(&self) -> Stub {
        Stub(self.0.clone())
    }
}

async fn serve(stream: TcpStream) {
    stream.set_nodelay(true).expect("an option that TCP has");
    let transport = serde_transport::new(
        Framed::new(stream, LengthDelimitedCodec::new()),
        Bincode::default(),
    );
    BaseChannel::with_defaults(transport)
        .execute(Implementation.serve())
        .for_each(|answer| async {
            tokio::spawn(answer);
        })
        .await;
}

/// The generated client has functions of the same names.
#[derive(Clone)]
pub(crate) struct Stub(EchoClient);

impl Caller for Stub {
    async fn unary(&mut self, body: Bytes) -> Bytes {
        let echo = self.0.unary(context::current(), body).await;
        echo.expect("the call succeeds")
    }

    async fn unary_yield(&mut self, body: Bytes) -> Bytes {
        let echo = self.0.unary_yield(context::current(), body).await;
        echo.expect("the call succeeds")
    }
}
