//! Requests that are wrong, each answered with what is wrong, on a connection that lives on.

use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, Request};
use rpc_core::Code;

use super::{
    peer::{Peer, RawPeer, frame, header_block, kind, post, raw_frame, with_header, within},
    service::TestService,
};

#[tokio::test]
async fn another_method_than_post_is_405() {
    let peer = Peer::new(TestService::new()).await;
    let mut request = post("/test.Test/Unary");
    *request.method_mut() = Method::GET;
    let answer = peer.request(request, "").await;
    assert_eq!(answer.http, 405);
    assert_eq!(answer.headers["allow"], "POST");
    assert_eq!(answer.code(), Code::Internal as u32);
    peer.assert_alive().await;
}

#[tokio::test]
async fn another_content_type_is_415_with_a_text() {
    let peer = Peer::new(TestService::new()).await;
    for content_type in [
        "application/json",
        "application/grpc-web",
        "application/grpc-web+proto",
        "application/grpcx",
        "",
    ] {
        let mut request = post("/test.Test/Unary");
        request
            .headers_mut()
            .insert("content-type", content_type.parse().expect("legal"));
        let answer = peer.request(request, frame("x")).await;
        assert_eq!(answer.http, 415, "{content_type}");
        assert!(String::from_utf8_lossy(&answer.data).contains("application/grpc"));
    }
    let mut request = post("/test.Test/Unary");
    request.headers_mut().remove("content-type");
    assert_eq!(peer.request(request, frame("x")).await.http, 415);
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_missing_te_is_forgiven() {
    let peer = Peer::new(TestService::new()).await;
    let mut request = post("/test.Test/Unary");
    request.headers_mut().remove("te");
    assert_eq!(peer.request(request, frame("x")).await.code(), 0);
}

#[tokio::test]
async fn two_hosts_are_400() {
    let peer = Peer::new(TestService::new()).await;
    let request = with_header(with_header(post("/test.Test/Unary"), "host", "a"), "host", "b");
    let answer = peer.request(request, frame("x")).await;
    assert_eq!(
        (answer.http.as_u16(), answer.code()),
        (400, Code::Internal as u32)
    );
    peer.assert_alive().await;
}

#[tokio::test]
async fn a_malformed_timeout_is_400_and_internal() {
    let peer = Peer::new(TestService::new()).await;
    for timeout in [
        "1",
        "S",
        "",
        "123456789S",
        "1s",
        "-1S",
        "1.5S",
        " 1S",
        "+1S",
        "1 S",
        "1H1",
    ] {
        let answer = peer
            .request(
                with_header(post("/test.Test/Unary"), "grpc-timeout", timeout),
                frame("x"),
            )
            .await;
        assert_eq!(
            (answer.http.as_u16(), answer.code()),
            (400, Code::Internal as u32),
            "{timeout}"
        );
    }
    let longest = with_header(post("/test.Test/Unary"), "grpc-timeout", "99999999H");
    assert_eq!(peer.request(longest, frame("x")).await.code(), 0);
}

#[tokio::test]
async fn an_unknown_codec_is_unimplemented() {
    let peer = Peer::new(TestService::new()).await;
    let mut request = post("/test.Test/Unary");
    request
        .headers_mut()
        .insert("content-type", "application/grpc+cbor".parse().expect("legal"));
    let answer = peer.request(request, frame("x")).await;
    assert_eq!(answer.code(), Code::Unimplemented as u32);
    assert_eq!(answer.headers["content-type"], "application/grpc+cbor");
    peer.assert_alive().await;
}

#[tokio::test]
async fn an_unknown_compression_is_unimplemented_and_the_known_ones_are_listed() {
    let peer = Peer::new(TestService::new()).await;
    let answer = peer
        .request(
            with_header(post("/test.Test/Unary"), "grpc-encoding", "snappy"),
            frame("x"),
        )
        .await;
    assert_eq!(answer.code(), Code::Unimplemented as u32);
    let accepted = answer
        .field("grpc-accept-encoding")
        .expect("it says what it knows");
    assert!(
        accepted.split(',').any(|name| name == "identity") && !accepted.contains("snappy"),
        "{accepted}"
    );
    peer.assert_alive().await;
}

#[tokio::test]
async fn what_is_not_base64_is_internal() {
    let peer = Peer::new(TestService::new()).await;
    let answer = peer
        .request(
            with_header(post("/test.Test/Unary"), "x-key-bin", "!!not base64!!"),
            frame("x"),
        )
        .await;
    assert_eq!(answer.code(), Code::Internal as u32);
    peer.assert_alive().await;
}

#[tokio::test]
async fn messages_that_are_malformed_or_too_large_fail_their_call() {
    let peer = Peer::with(TestService::new(), |config| config.max_message_bytes = 1000).await;
    let prefixed = |flag: u8, len: u32, body: &[u8]| {
        let mut bytes = BytesMut::new();
        bytes.put_u8(flag);
        bytes.put_u32(len);
        bytes.put_slice(body);
        bytes.freeze()
    };
    let cases: [(&str, Bytes, Code); 11] = [
        ("cut off", prefixed(0, 10, b"short"), Code::Internal),
        (
            "a prefix that is cut off",
            Bytes::from_static(&[0, 0, 0]),
            Code::Internal,
        ),
        (
            "a length of 4 GiB",
            prefixed(0, u32::MAX, b"x"),
            Code::ResourceExhausted,
        ),
        (
            "one byte too large",
            frame(vec![0; 1001]),
            Code::ResourceExhausted,
        ),
        (
            "compressed without saying how",
            prefixed(1, 1, b"x"),
            Code::Internal,
        ),
        ("a flag that does not exist", prefixed(2, 1, b"x"), Code::Internal),
        ("another one", prefixed(0x80, 1, b"x"), Code::Internal),
        ("no message", Bytes::new(), Code::Unimplemented),
        (
            "two messages",
            [frame("a"), frame("b")].concat().into(),
            Code::Unimplemented,
        ),
        (
            "a message and a half",
            [frame("a"), prefixed(0, 9, b"b")].concat().into(),
            Code::Unimplemented,
        ),
        (
            "a message and a malformed one",
            [frame("a"), prefixed(7, 9, b"b")].concat().into(),
            Code::Internal,
        ),
    ];
    for (what, body, code) in cases {
        let answer = peer.request(post("/test.Test/Unary"), body).await;
        // The second message cut off may be seen as one too many, or as broken.
        let also = what == "a message and a half" && answer.code() == Code::Internal as u32;
        assert!(answer.code() == code as u32 || also, "{what}: {answer:?}");
        peer.assert_alive().await;
    }
    assert_eq!(
        peer.request(post("/test.Test/Unary"), frame(vec![0; 1000]))
            .await
            .code(),
        0,
        "just within"
    );
}

#[tokio::test]
async fn a_reply_that_is_too_large_fails_its_call() {
    let peer = Peer::with(TestService::new(), |config| config.max_send_message_bytes = 100).await;
    for path in ["/test.Test/Unary", "/test.Test/Download"] {
        let answer = peer.call(path, [0; 101]).await;
        assert_eq!(answer.code(), Code::ResourceExhausted as u32, "{path}");
    }
    peer.assert_alive().await;
}

#[cfg(feature = "gzip")]
#[tokio::test]
async fn a_compression_bomb_is_not_inflated() {
    use std::io::Write;
    let peer = Peer::new(TestService::new()).await;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..64 {
        bomb.write_all(&zeros).expect("into memory");
    }
    let bomb = bomb.finish().expect("into memory");
    let mut body = BytesMut::new();
    body.put_u8(1);
    body.put_u32(bomb.len() as u32);
    body.put_slice(&bomb);
    let request = || with_header(post("/test.Test/Unary"), "grpc-encoding", "gzip");
    let answer = peer.request(request(), body).await;
    assert_eq!(answer.code(), Code::ResourceExhausted as u32);
    let garbage = peer
        .request(request(), Bytes::from_static(&[1, 0, 0, 0, 3, 1, 2, 3]))
        .await;
    assert_eq!(garbage.code(), Code::Internal as u32);
    peer.assert_alive().await;
}

#[tokio::test]
async fn headers_that_http2_does_not_have_reset_the_stream() {
    let mut peer = RawPeer::new(TestService::new(), |_| {}).await;
    for (stream, extra) in [
        (1, ("connection", "close")),
        (3, (":authority", "again")),
        (5, ("te", "gzip")),
    ] {
        peer.write(&raw_frame(kind::HEADERS, 5, stream, &header_block(&[extra])))
            .await;
        let reset = peer
            .read_kind(kind::RST_STREAM)
            .await
            .unwrap_or_else(|| panic!("{extra:?}: the connection lives"));
        assert_eq!(
            (reset.stream, &reset.payload[..]),
            (stream, &[0, 0, 0, 1][..]),
            "PROTOCOL_ERROR for {extra:?}"
        );
    }
    peer.assert_alive(7).await;
}

#[tokio::test]
async fn garbage_ends_the_connection_and_nothing_else() {
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 64],
        b"PRI * HTTP/2.0\r\n\r\nXX",
    ] {
        let mut peer = RawPeer::silent(TestService::new(), |_| {});
        peer.try_write(garbage).await;
        // Whatever it says before, it hangs up.
        while peer.read().await.is_some() {}
        within(peer.served).await.expect("it does not panic");
    }
}

#[tokio::test]
async fn a_frame_of_nonsense_after_the_preface_is_a_connection_error() {
    let nonsense: [(&str, Vec<u8>); 7] = [
        ("DATA on stream 0", raw_frame(kind::DATA, 0, 0, b"x")),
        ("DATA on an idle stream", raw_frame(kind::DATA, 0, 99, b"x")),
        (
            "HEADERS on an even stream",
            raw_frame(kind::HEADERS, 5, 2, &header_block(&[])),
        ),
        (
            "SETTINGS of a broken length",
            raw_frame(kind::SETTINGS, 0, 0, &[0; 5]),
        ),
        ("a PING of 7 bytes", raw_frame(kind::PING, 0, 0, &[0; 7])),
        (
            "a name in capitals",
            raw_frame(kind::HEADERS, 5, 1, &header_block(&[("X-Upper", "x")])),
        ),
        (
            "a header block that is no HPACK",
            raw_frame(kind::HEADERS, 5, 1, &[0xff; 40]),
        ),
    ];
    for (what, bytes) in nonsense {
        let mut peer = RawPeer::new(TestService::new(), |_| {}).await;
        peer.write(&bytes).await;
        let goaway = peer
            .read_kind(kind::GOAWAY)
            .await
            .unwrap_or_else(|| panic!("{what}: it says why"));
        assert_ne!(goaway.goaway().expect("it is one").1, 0, "{what}");
        while peer.read().await.is_some() {}
        within(peer.served).await.expect("it does not panic");
    }
}

#[tokio::test]
async fn unknown_frames_are_ignored() {
    let mut peer = RawPeer::new(TestService::new(), |_| {}).await;
    peer.write(&raw_frame(0xbb, 0xff, 0, b"whatever")).await;
    peer.assert_alive(1).await;
}

#[tokio::test]
async fn a_path_that_no_router_knows_is_no_danger() {
    let peer = Peer::new(TestService::new()).await;
    let long = format!("/{}", "x".repeat(8000));
    for path in ["/test.Test/Unary?query=1", "/%00", &long] {
        let request: Request<()> = post(path);
        let answer = peer.request(request, frame("x")).await;
        assert!(matches!(answer.code(), 0 | 12), "{}", answer.code());
    }
    peer.assert_alive().await;
}
