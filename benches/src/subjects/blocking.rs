//! The floor of a lone call: ping-pong between two blocking sockets. Same frames as `raw`, no runtime in between.
//!
//! The caller blocks the worker that it runs on, which has nothing else to do.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use super::{Caller, Subject};
use crate::cell::{Cell, Scenario};

#[derive(Clone)]
pub(crate) struct Blocking(Arc<Mutex<Side>>);

struct Side {
    stream: TcpStream,
    /// Length prefix and body of a message.
    buffer: Vec<u8>,
    filled: usize,
}

impl Subject for Blocking {
    const NAME: &'static str = "blocking";

    type Address = SocketAddr;
    type Caller = Self;

    fn takes(cell: &Cell) -> bool {
        cell.scenario == Scenario::Unary && cell.concurrency == 1
    }

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        // A thread of the runtime, so that it is pinned as the shape wants.
        tokio::task::spawn_blocking(move || {
            let (stream, _) = listener.accept().expect("a connection");
            let mut side = Side::new(stream);
            while side.receive().is_ok() && side.send().is_ok() {}
        });
        address
    }

    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        Self(Arc::new(Mutex::new(Side::new(stream))))
    }

    fn caller(&self) -> Self {
        self.clone()
    }
}

impl Caller for Blocking {
    async fn unary(&mut self, body: Bytes) -> Bytes {
        let mut side = self.0.lock().expect("one caller");
        side.fill(&body);
        side.send().expect("the server reads");
        side.receive().expect("the server answers");
        Bytes::copy_from_slice(&side.buffer[PREFIX..side.filled])
    }
}

const PREFIX: usize = 4;
/// Longer than any message.
const BUFFER: usize = 128 * 1024;

impl Side {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("an option that TCP has");
        Self {
            stream,
            buffer: vec![0; BUFFER],
            filled: 0,
        }
    }

    fn fill(&mut self, body: &[u8]) {
        self.filled = PREFIX + body.len();
        self.buffer[..PREFIX].copy_from_slice(&(body.len() as u32).to_le_bytes());
        self.buffer[PREFIX..self.filled].copy_from_slice(body);
    }

    fn send(&mut self) -> std::io::Result<()> {
        self.stream.write_all(&self.buffer[..self.filled])
    }

    /// Reads one message, in as few system calls as its arrival allows.
    fn receive(&mut self) -> std::io::Result<()> {
        self.filled = 0;
        let mut wanted = PREFIX;
        while self.filled < wanted {
            match self.stream.read(&mut self.buffer[self.filled..])? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                count => self.filled += count,
            }
            if let Some(prefix) = self.buffer[..self.filled].first_chunk::<PREFIX>() {
                wanted = PREFIX + u32::from_le_bytes(*prefix) as usize;
            }
        }
        Ok(())
    }
}
