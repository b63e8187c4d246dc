//! The bytes of what `docs/framed.md` says, where the recording of version 1 has none: each side against bytes written by hand.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use rpc_core::{Body, Call, Code, Context, Deadline, Method, message::Encoded, transport::Link};
#[cfg(feature = "gzip")]
use rpc_framed::Compression;
use rpc_framed::ServerConfig;

#[cfg(feature = "gzip")]
use super::peer::COMPRESSED;
use super::{
    peer::{
        DEADLINE, DEFINE, DRAIN, END, ERROR, Frame, MESSAGE, Peer, REPLY, REQUEST, Server, begin, call,
        define, frame,
    },
    service::TestService,
    support::{piped_link, serve_one, within},
};

/// Bytes of a message of protobuf, in a field of another one.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
}

/// The details of an ERROR that say of a method that it was not begun.
fn not_processed(path: &str) -> Vec<u8> {
    let entry = [field(1, b"not_processed"), field(2, path.as_bytes())].concat();
    let info = [field(2, b"rpc"), field(3, &entry)].concat();
    let any = [
        field(1, b"type.googleapis.com/google.rpc.ErrorInfo"),
        field(2, &info),
    ];
    // The code is first, and 14.
    [vec![8, 14], field(3, &any.concat())].concat()
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_was_not_begun() {
    let (link, mut server) = greeted(&[]).await;
    for path in ["/test.Test/Unary", "/test.Test/Other"] {
        let mut refused = call(1);
        let mut refused = link.call(&mut refused);
        let request = begin(Pin::new(&mut refused), &mut server).await;
        let payload = [&[4, 0, 0, 0][..], b"full", &not_processed(path)].concat();
        let (slot, generation) = (request.slot, request.generation);
        server
            .write(&frame(ERROR, END, slot, generation, 14, &payload))
            .await;
        let status = within(refused).await.expect_err("it is refused");
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "full"));
        assert_eq!(status.was_processed(), path == "/test.Test/Other");
    }

    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(TestService::new(), ours, ServerConfig::default());
    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    let payload = define("/a/B", b"x");
    peer.write(&frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 0, &payload))
        .await;
    let error = peer.read().await.expect("it is answered");
    assert_eq!((error.kind, error.extra), (ERROR, Code::Unimplemented as u16));
    let entry = [field(1, b"not_processed"), field(2, b"/a/B")].concat();
    assert!(error.payload.ends_with(&entry));
}

/// "hello hello hello" as gzip has it, behind the number of gzip.
#[cfg(feature = "gzip")]
const PACKED: &[u8] =
    b"\x01\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\0\x80\x88\xf9\xe5\x11\0\0\0";

/// Sends a call and gives it up; answers its REQUEST.
async fn requested(link: &Arc<dyn Link>, server: &mut Server, mut call: Call<'_>) -> Frame {
    begin(Pin::new(&mut link.call(&mut call)), server).await
}

/// A link that is connected to a server with these settings, and that server's end.
async fn greeted(settings: &[u8]) -> (Arc<dyn Link>, Server) {
    let (link, theirs) = piped_link(1 << 16, |_| ());
    let mut server = Server(theirs);
    let mut first = call(1);
    let (reply, ()) = tokio::join!(within(link.call(&mut first)), async {
        server.greet_with(settings).await;
        let request = server.next_request().await;
        server.answer(&request).await;
    });
    reply.expect("it is answered");
    (link, server)
}

#[tokio::test(start_paused = true)]
async fn a_method_without_a_number_is_defined_each_time() {
    // One number is taken.
    let (link, mut server) = greeted(&[6, 0, 4, 0, 1, 0, 0, 0]).await;
    for path in ["/a/B", "/a/B", "/a/C"] {
        let body = Body::Encoded(Encoded {
            bytes: Bytes::from_static(b"x"),
        });
        let call = Call::new(Method::unknown(path), "proto", body);
        let request = requested(&link, &mut server, call).await;
        assert_eq!((request.flags, request.extra), (DEFINE | MESSAGE | END, 65535));
        assert_eq!(request.payload, define(path, b"x"));
    }
    let request = requested(&link, &mut server, call(1)).await;
    assert_eq!((request.flags, request.extra), (MESSAGE | END, 0));

    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(TestService::new(), ours, ServerConfig::default());
    let mut peer = Peer(theirs);
    peer.greet(&[]).await;
    for (path, message) in [
        ("/test.Test/Unary", "a"),
        ("/a/B", "b"),
        ("/test.Test/Unary", "c"),
    ] {
        let payload = define(path, message.as_bytes());
        let request = frame(REQUEST, DEFINE | MESSAGE | END, 0, 1, 65535, &payload);
        peer.write(&request).await;
        let answer = peer.read().await.expect("it is answered");
        if path == "/a/B" {
            assert_eq!((answer.kind, answer.extra), (ERROR, Code::Unimplemented as u16));
        } else {
            assert_eq!((answer.kind, &answer.payload[..]), (REPLY, message.as_bytes()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_that_is_left_is_rounded_up() {
    let (link, mut server) = greeted(&[]).await;
    let mut late = call(1);
    late.context = Context::new().with_deadline(Deadline::after(Duration::from_micros(1_500_001)));
    let request = requested(&link, &mut server, late).await;
    assert_eq!(request.flags, DEADLINE | MESSAGE | END);
    assert_eq!(request.payload, [0xdd, 5, 0, 0, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_answered_by_a_drain() {
    let (link, mut server) = greeted(&[]).await;
    let mut last = call(1);
    let mut last = link.call(&mut last);
    let request = begin(Pin::new(&mut last), &mut server).await;
    server.write(&frame(DRAIN, 0, 0, 0, 0, &[])).await;
    let drain = Frame {
        kind: DRAIN,
        flags: 0,
        slot: 0,
        generation: 0,
        extra: 0,
        payload: Vec::new(),
    };
    assert_eq!(server.next().await, drain);
    server.answer(&request).await;
    within(last).await.expect("it is answered");
}

#[cfg(feature = "gzip")]
#[tokio::test(start_paused = true)]
async fn a_compressed_message_begins_with_how_it_is_compressed() {
    let gzip = [7, 0, 1, 0, 1];
    let (link, mut server) = greeted(&gzip).await;
    let mut packed = call(1000);
    packed.options.compression = Some("gzip".into());
    let mut packed = link.call(&mut packed);
    let request = begin(Pin::new(&mut packed), &mut server).await;
    assert_eq!(request.flags, COMPRESSED | MESSAGE | END);
    assert_eq!(request.payload[..3], PACKED[..3]);
    let (slot, generation) = (request.slot, request.generation);
    let reply = frame(REPLY, COMPRESSED | MESSAGE | END, slot, generation, 0, PACKED);
    server.write(&reply).await;
    let Body::Encoded(message) = within(packed).await.expect("it is answered").body else {
        panic!("it has one message");
    };
    assert_eq!(message.bytes, "hello hello hello");

    let mut config = ServerConfig::default();
    config.compression = Compression::of_name("gzip");
    let (theirs, ours) = tokio::io::duplex(1 << 16);
    let (_served, _drain) = serve_one(TestService::new(), ours, config);
    let mut peer = Peer(theirs);
    peer.greet(&gzip).await;
    let payload = define("/test.Test/Unary", PACKED);
    let request = frame(REQUEST, DEFINE | COMPRESSED | MESSAGE | END, 0, 1, 0, &payload);
    peer.write(&request).await;
    let reply = peer.read().await.expect("it is answered");
    assert_eq!((reply.kind, reply.flags), (REPLY, COMPRESSED | MESSAGE | END));
    assert_eq!(reply.payload[..3], PACKED[..3]);
}
