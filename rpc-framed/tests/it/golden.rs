//! The bytes of version 1, as they were when it was released: what our client sends and our server answers today is the
//! same, and a client of that time is served.
//!
//! `BLESS=1` writes the file anew; a released version's file is not to be changed.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rpc_core::{Channel, Request, Response, Status, Streaming, client, net::Address};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    peer::Peer,
    service::{TYPES, TestService},
    support::{Direct, link, request, serve, unary, within},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1.txt");

/// What this build announces that it can undo: the only thing in these bytes which features change.
const COMPRESSIONS: &str = match (cfg!(feature = "zstd"), cfg!(feature = "gzip")) {
    (true, true) => "0201",
    (true, false) => "02",
    (false, true) => "01",
    (false, false) => "",
};
/// The same of the build that the file was written by.
const RECORDED_WITH: &str = "01";

/// The recorded bytes, with this build's compressions in both prefaces.
fn golden() -> String {
    let setting = |list: &str| format!("0700{:02x}00{list}", list.len() / 2);
    let preface = |list: &str| format!("f572706366726d0a01010000{:02x}000000", 0x34 + list.len() / 2);
    let adapted = std::fs::read_to_string(FILE)
        .unwrap()
        .replacen(&preface(RECORDED_WITH), &preface(COMPRESSIONS), 2)
        .replacen(&setting(RECORDED_WITH), &setting(COMPRESSIONS), 2);
    assert!(adapted.starts_with(&format!("> {}", preface(COMPRESSIONS))));
    adapted
}

fn service() -> TestService {
    TestService::new().unary(async |request| {
        if request.message() == "fail" {
            let status = Status::not_found("no such article");
            return Err(status.with_reason("SKU_UNKNOWN").with_domain("shop"));
        }
        let mut response = Response::new(request.into_inner());
        response.metadata_mut().insert("x-from", "shelf").unwrap();
        response.trailers_mut().insert("x-after", "all").unwrap();
        Ok(response)
    })
}

/// Bytes of both directions, in the order of exchanges.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<(Vec<u8>, Vec<u8>)>>);

impl Tape {
    /// What was said since the last cut.
    fn cut(&self, text: &mut String) {
        let (said, answered) = std::mem::take(&mut *self.0.lock().unwrap());
        for (mark, bytes) in [('>', said), ('<', answered)] {
            let _ = write!(text, "{mark} ");
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('\n');
        }
    }
}

/// Passes bytes on, and writes them down.
async fn proxy(to: Address, tape: Tape) -> Address {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let far = TcpStream::connect(to.to_string()).await.unwrap();
        let (mut near_read, mut near_write) = near.into_split();
        let (mut far_read, mut far_write) = far.into_split();
        let said = tape.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = near_read.read(&mut buffer).await {
                said.0.lock().unwrap().0.extend(&buffer[..read]);
                far_write.write_all(&buffer[..read]).await.unwrap();
            }
        });
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = far_read.read(&mut buffer).await {
            tape.0.lock().unwrap().1.extend(&buffer[..read]);
            if near_write.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    });
    address
}

#[tokio::test]
async fn what_is_said_is_what_version_1_says() {
    let (address, _drain) = serve(service(), |_| ()).await;
    let tape = Tape::default();
    let address = proxy(address, tape.clone()).await;
    let channel = Channel::new(Direct(link(&address, |_| ())));
    let mut text = String::new();

    let mut first = request("hello");
    first.metadata_mut().insert("x-tenant", "acme").unwrap();
    first
        .metadata_mut()
        .insert_bin("x-token-bin", b"\0\x01".as_slice())
        .unwrap();
    unary(&channel, first).await.unwrap();
    tape.cut(&mut text);
    let _ = unary(&channel, request("fail")).await.expect_err("it fails");
    tape.cut(&mut text);
    let rows = Streaming::from_iter(["a", "", "c"].map(|row| Bytes::from_static(row.as_bytes())));
    let upload = within(client::client_streaming(&channel, &TYPES[1], Request::new(rows))).await;
    assert_eq!(upload.unwrap().into_inner(), "ac");
    tape.cut(&mut text);
    let download = within(client::server_streaming(&channel, &TYPES[2], request("x"))).await;
    let mut download = download.unwrap().into_inner();
    while within(download.message()).await.unwrap().is_some() {}
    drop(download);
    tape.cut(&mut text);

    if std::env::var_os("BLESS").is_some() {
        assert_eq!(
            COMPRESSIONS, RECORDED_WITH,
            "the file is of a build with gzip alone"
        );
        std::fs::write(FILE, &text).unwrap();
    }
    assert_eq!(text, golden(), "the bytes of version 1 have changed");
}

#[tokio::test]
async fn a_client_of_version_1_is_served() {
    let (address, _drain) = serve(service(), |_| ()).await;
    let golden = golden();
    let mut peer = Peer::silent(&address).await;
    let mut lines = golden.lines();
    let mut exchanges = 0;
    while let (Some(said), Some(answered)) = (lines.next(), lines.next()) {
        let (said, answered) = (bytes(said), bytes(answered));
        let (mut said, mut answered) = (&said[..], &answered[..]);
        if exchanges == 0 {
            // A client sends no frame before it has read the server's preface.
            let (ours, theirs);
            (ours, said) = split_preface(said);
            (theirs, answered) = split_preface(answered);
            peer.write(ours).await;
            assert_eq!(peer.read_preface().await, theirs);
        }
        peer.write(said).await;
        let mut read = vec![0; answered.len()];
        within(peer.0.read_exact(&mut read))
            .await
            .expect("it is answered");
        assert_eq!(read, answered);
        exchanges += 1;
    }
    assert_eq!(exchanges, 4);
}

/// A preface, and what follows it.
fn split_preface(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(16 + usize::from(bytes[12]))
}

fn bytes(line: &str) -> Vec<u8> {
    let digits = &line[2..];
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).expect("it is written in hex"))
        .collect()
}
