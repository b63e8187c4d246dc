//! The limit: length-prefixed frames with a correlation id, and nothing else.
//!
//! No deadlines, no metadata, no errors, no methods, no cancellation. What is left is what any protocol of this kind has
//! to do: many tasks share a connection, each waits in a slot of a slab, all write into one buffer, and one task a side
//! reads and writes the socket. A frame is a head of two little-endian `u32`, the body's length and the id, and the body.
//!
//! What makes it fast, and is allowed to ours too:
//!
//! - The client's connection task goes once to the back of the queue before it takes the buffer, so that everybody whom
//!   it woke has written by then. Without that turn each write carries one frame.
//! - A lone caller writes from its own task.
//! - Buffers are flat, kept, and bounded by what is in flight.

mod client;
mod frames;
mod server;

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};

use self::client::Client;
use super::{Caller, Subject};
use crate::cell::{Cell, Scenario};

pub(crate) struct Raw(Client);

impl Subject for Raw {
    const NAME: &'static str = "raw";

    type Address = SocketAddr;
    type Caller = Client;

    fn takes(cell: &Cell) -> bool {
        matches!(
            cell.scenario,
            Scenario::Unary | Scenario::OpenLoop { .. } | Scenario::Connections
        )
    }

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("an option that TCP has");
                tokio::spawn(server::serve(stream));
            }
        });
        address
    }

    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option that TCP has");
        Self(Client::start(stream))
    }

    fn caller(&self) -> Client {
        self.0.clone()
    }
}

impl Caller for Client {
    async fn unary(&mut self, body: Bytes) -> Bytes {
        self.call(&body).await
    }
}
