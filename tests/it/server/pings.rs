//! Pings of clients of others, which our own do not send so often.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{Gate, Running, in_time, quiet};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

/// A client that speaks HTTP/2 byte by byte.
struct Peer {
    io: TcpStream,
}

impl Peer {
    async fn of(running: &Running) -> Self {
        let io = TcpStream::connect(running.addresses[0].to_string())
            .await
            .unwrap();
        let mut peer = Self { io };
        peer.io
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        peer.write(SETTINGS, 0, 0, b"").await;
        peer
    }

    /// Begins a call that is not answered until the gate lets it go.
    async fn wait(&mut self, gate: &Gate) {
        const ENDS_STREAM: u8 = 1;
        const ENDS_HEADERS: u8 = 4;
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/test.v1.Gate/Wait"),
            (":authority", "test"),
            ("content-type", "application/grpc+msgpack"),
            ("te", "trailers"),
        ] {
            // Neither HPACK's tables nor Huffman's code.
            block.push(0);
            for text in [name, value] {
                block.push(text.len() as u8);
                block.extend(text.bytes());
            }
        }
        self.write(HEADERS, ENDS_HEADERS, 1, &block).await;
        self.write(DATA, ENDS_STREAM, 1, &[0, 0, 0, 0, 1, 7]).await;
        gate.arrived().await;
    }

    /// Pings once, and so often that three times were too early.
    async fn ping_at_once(&mut self) {
        for _ in 0..4 {
            self.ping().await;
        }
    }

    async fn ping(&mut self) {
        self.write(PING, 0, 0, b"probing!").await;
        self.read_kind(PING).await;
    }

    async fn assert_cut_off(mut self) {
        let payload = self.read_kind(GOAWAY).await;
        assert_eq!(&payload[8..], b"too_many_pings");
        assert_eq!(in_time(self.io.read(&mut [0])).await.unwrap(), 0);
    }

    async fn write(&mut self, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
        let head = [0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream];
        self.io.write_all(&[&head, payload].concat()).await.unwrap();
    }

    /// What is in the next frame of a kind, others passed over.
    async fn read_kind(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let mut head = [0; 9];
            in_time(self.io.read_exact(&mut head)).await.unwrap();
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; len as usize];
            in_time(self.io.read_exact(&mut payload)).await.unwrap();
            if head[3] == kind {
                return payload;
            }
        }
    }
}

#[tokio::test]
async fn pings_beside_a_quiet_call_are_too_many_unless_they_are_expected() {
    let gate = Gate::new();
    let running = Running::start(quiet(&gate)).await;
    let mut peer = Peer::of(&running).await;
    peer.wait(&gate).await;
    peer.ping_at_once().await;
    peer.assert_cut_off().await;
    running.stop().await;

    let running = Running::start(quiet(&gate).min_ping_interval(Duration::ZERO)).await;
    let mut peer = Peer::of(&running).await;
    peer.wait(&gate).await;
    peer.ping_at_once().await;
    peer.ping().await;
    gate.open(1);
    peer.read_kind(HEADERS).await;
    drop(peer);
    running.stop().await;
}

#[tokio::test]
async fn pings_without_a_call_are_permitted_apart() {
    let often = || quiet(&Gate::new()).min_ping_interval(Duration::ZERO);
    let running = Running::start(often()).await;
    let mut peer = Peer::of(&running).await;
    peer.ping_at_once().await;
    peer.assert_cut_off().await;
    running.stop().await;

    let running = Running::start(often().permit_ping_without_calls(true)).await;
    let mut peer = Peer::of(&running).await;
    peer.ping_at_once().await;
    peer.ping().await;
    drop(peer);
    running.stop().await;
}
