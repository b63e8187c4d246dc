//! Compressed messages in both directions, and the switches for single ones.
#![cfg(feature = "gzip")]

use std::io::{Read, Write};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rpc_core::{
    Response, Streaming,
    message::{ReceivedCompressed, SendCompressed},
};
use rpc_grpc::Compression;

use super::{
    peer::{Answer, Peer, frame, post, with_header},
    service::TestService,
};

fn gzipped(message: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(message).expect("into memory");
    let message = encoder.finish().expect("into memory");
    let mut bytes = BytesMut::new();
    bytes.put_u8(1);
    bytes.put_u32(message.len() as u32);
    bytes.put_slice(&message);
    bytes.freeze()
}

/// The messages of an answer, and whether each came compressed.
fn messages(answer: &Answer) -> Vec<(bool, Vec<u8>)> {
    let mut data = answer.data.clone();
    let mut messages = Vec::new();
    while !data.is_empty() {
        let compressed = data.get_u8() == 1;
        let len = data.get_u32() as usize;
        let mut message = data.split_to(len).to_vec();
        if compressed {
            let mut inflated = Vec::new();
            flate2::read::GzDecoder::new(&message[..])
                .read_to_end(&mut inflated)
                .expect("it is gzip");
            message = inflated;
        }
        messages.push((compressed, message));
    }
    messages
}

const LARGE: &[u8] = &[7; 5000];

#[tokio::test]
async fn a_handler_sees_which_messages_came_compressed() {
    let service = TestService::new().upload(async |request| {
        let seen = request.extensions().get::<ReceivedCompressed>().cloned();
        let mut stream = request.into_inner();
        let mut flags = Vec::new();
        while let Some(message) = stream.message().await? {
            flags.push(format!(
                "{}:{:?}",
                message.len(),
                seen.as_ref().map(ReceivedCompressed::get)
            ));
        }
        Ok(Response::new(flags.join(" ").into()))
    });
    let peer = Peer::new(service).await;
    let body = Bytes::from([gzipped(LARGE), frame("abc"), gzipped(b"")].concat());
    let request = with_header(post("/test.Test/Upload"), "grpc-encoding", "gzip");
    let answer = peer.request(request, body).await;
    assert_eq!(answer.messages(), ["5000:Some(true) 3:Some(false) 0:Some(true)"]);
    // Who names no compression cannot have compressed anything.
    let answer = peer.call("/test.Test/Upload", "abc").await;
    assert_eq!(answer.messages(), ["3:None"]);
}

#[tokio::test]
async fn replies_are_compressed_if_configured_and_accepted() {
    let peer = Peer::with(TestService::new(), |config| {
        config.compression = Some(Compression::Gzip);
    })
    .await;
    for path in ["/test.Test/Unary", "/test.Test/Download"] {
        let request = with_header(post(path), "grpc-accept-encoding", "identity, deflate,gzip");
        let answer = peer.request(request, frame(LARGE)).await;
        assert_eq!(answer.headers["grpc-encoding"], "gzip");
        assert!(
            messages(&answer)
                .iter()
                .all(|message| *message == (true, LARGE.to_vec()))
        );
        let plain = peer.call(path, LARGE).await;
        assert!(!plain.headers.contains_key("grpc-encoding"));
        assert_eq!(plain.messages()[0], LARGE);
    }
}

#[tokio::test]
async fn a_handler_decides_for_its_reply() {
    let service = || {
        TestService::new().unary(async |request| {
            let wanted = request.metadata().get("x-compress") == Some("yes");
            let mut response = Response::new(request.into_inner());
            response.extensions_mut().insert(SendCompressed::new(wanted));
            Ok(response)
        })
    };
    for configured in [None, Some(Compression::Gzip)] {
        let peer = Peer::with(service(), |config| config.compression = configured).await;
        for (wanted, compressed) in [("yes", true), ("no", false)] {
            let mut request = with_header(post("/test.Test/Unary"), "grpc-accept-encoding", "gzip");
            request = with_header(request, "x-compress", wanted);
            let answer = peer.request(request, frame(LARGE)).await;
            assert_eq!(messages(&answer), [(compressed, LARGE.to_vec())]);
        }
    }
    // A client that cannot inflate it gets it as it is.
    let peer = Peer::new(service()).await;
    let answer = peer
        .request(
            with_header(post("/test.Test/Unary"), "x-compress", "yes"),
            frame(LARGE),
        )
        .await;
    assert_eq!(answer.messages(), [LARGE]);
}

#[tokio::test]
async fn a_stream_decides_message_by_message() {
    let service = TestService::new().download(async |_| {
        let switch = SendCompressed::new(false);
        let of_item = switch.clone();
        let messages = [true, false, true, true].into_iter().map(move |compressed| {
            of_item.set(compressed);
            Bytes::from_static(LARGE)
        });
        let mut response = Response::new(Streaming::from_iter(messages));
        response.extensions_mut().insert(switch);
        Ok(response)
    });
    let peer = Peer::new(service).await;
    let request = with_header(post("/test.Test/Download"), "grpc-accept-encoding", "gzip");
    let answer = peer.request(request, frame("")).await;
    let flags: Vec<_> = messages(&answer)
        .into_iter()
        .map(|(compressed, _)| compressed)
        .collect();
    assert_eq!(flags, [true, false, true, true]);
}
