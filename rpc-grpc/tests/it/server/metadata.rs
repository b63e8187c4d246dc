//! Metadata in both directions, and its limits.

use bytes::Bytes;
use rpc_core::{Body, Call, Code, Metadata, Response, Status, Streaming, message::Encoded};
use rpc_grpc::{GrpcServer, ServerConfig};
use tower_http::trace::TraceLayer;

use super::{
    linked::linked,
    peer::{Peer, RawPeer, frame, header_block, kind, post, raw_frame, with_header, within},
    service::{TYPES, TestService},
};

#[tokio::test]
async fn metadata_comes_and_goes() {
    let service = TestService::new().unary(async |request| {
        let mut response = Response::new("".into());
        for (key, value) in request.metadata().iter() {
            let into = if key.as_str().starts_with("x-early") {
                response.metadata_mut()
            } else {
                response.trailers_mut()
            };
            into.push(key.clone(), value.clone());
        }
        Ok(response)
    });
    let peer = Peer::new(service).await;
    let mut request = post("/test.Test/Unary");
    for (name, value) in [
        ("x-early", "1"),
        ("x-early", "2"),
        ("x-late-bin", "q6ur"),
        ("x-late-bin", "AAE=,AQI"),
    ] {
        request = with_header(request, name, value);
    }
    let answer = peer.request(request, frame("")).await;
    assert_eq!(
        answer.headers.get_all("x-early").iter().collect::<Vec<_>>(),
        ["1", "2"]
    );
    let trailers = answer.trailers.expect("there are some");
    let late: Vec<_> = trailers.get_all("x-late-bin").iter().collect();
    assert_eq!(
        late,
        ["q6ur", "AAE", "AQI"],
        "joined values are apart, padding is gone"
    );
    assert!(!trailers.contains_key("te") && !trailers.contains_key("user-agent"));
}

#[tokio::test]
async fn a_failure_carries_its_metadata() {
    let service = TestService::new().unary(async |_| {
        let mut metadata = Metadata::new();
        metadata.insert("x-hint", "try tomorrow").expect("legal");
        Err(Status::unavailable("closed").with_metadata(metadata))
    });
    let peer = Peer::new(service).await;
    let answer = peer.call("/test.Test/Unary", "").await;
    assert_eq!(answer.field("x-hint"), Some("try tomorrow"));
    assert_eq!(answer.code(), Code::Unavailable as u32);
}

#[tokio::test]
async fn a_failure_arrives_without_the_metadata_that_is_too_much() {
    fn failure(size: usize) -> Status {
        let mut metadata = Metadata::new();
        metadata.insert("x-first", "1").expect("legal");
        metadata.insert("x-large", &"x".repeat(size)).expect("legal");
        Status::not_found("no such order").with_metadata(metadata)
    }
    let service = || {
        TestService::new()
            .unary(async |request| Err(failure(request.into_inner().len())))
            .download(async |request| {
                let items = [
                    Ok(Bytes::from_static(b"x")),
                    Err(failure(request.into_inner().len())),
                ];
                Ok(Response::new(Streaming::new(tokio_stream::iter(items))))
            })
    };
    let plain = || {
        let mut config = ServerConfig::default();
        config.max_metadata_bytes = 2048;
        GrpcServer::new(config)
    };
    for server in [plain(), plain().with_http_layer(TraceLayer::new_for_grpc())] {
        let peer = Peer::of(&server, service()).await;
        for path in ["/test.Test/Unary", "/test.Test/Download"] {
            for (size, arrives) in [(1600, true), (1900, false), (2048, false), (100_000, false)] {
                let answer = peer.call(path, &"x".repeat(size)).await;
                assert_eq!(answer.code(), Code::NotFound as u32, "{path} {size}");
                assert_eq!(answer.field("grpc-message"), Some("no such order"));
                let block = answer.trailers.as_ref().unwrap_or(&answer.headers);
                let entries = block
                    .iter()
                    .map(|(name, value)| name.as_str().len() + value.len() + 32);
                assert!(entries.sum::<usize>() <= 2048, "{path} {size}");
                // All of it or nothing.
                assert_eq!(answer.field("x-first").is_some(), arrives, "{path} {size}");
                assert_eq!(answer.field("x-large").is_some(), arrives, "{path} {size}");
            }
        }
    }
}

/// Whatever is left out, and whoever leaves it out.
#[tokio::test]
async fn a_failure_arrives_between_two_with_the_same_limit() {
    let service = TestService::new().unary(async |request| {
        let mut metadata = Metadata::new();
        let size = request.message().len();
        metadata.insert("x-large", &"x".repeat(size)).expect("legal");
        Err(Status::not_found("?".repeat(size / 2)).with_metadata(metadata))
    });
    let mut config = ServerConfig::default();
    config.max_metadata_bytes = 2048;
    let (_linked, link) = linked(GrpcServer::new(config), service, |config| {
        config.max_metadata_bytes = 2048;
    });
    for size in (0..2_100).step_by(10) {
        let message = Body::Encoded(Encoded {
            bytes: vec![b'x'; size].into(),
        });
        let mut call = Call::new(TYPES[0].method(), "proto", message);
        let status = within(link.call(&mut call)).await.expect_err("it fails");
        assert_eq!(status.code(), Code::NotFound, "{size}: {status}");
        let text = &status.message().len();
        assert!(
            (size / 2).min(800) <= *text && *text <= size / 2,
            "{size}: {text}"
        );
    }
}

/// There are more than a map of headers takes, whatever the limit.
#[tokio::test]
async fn too_many_entries_are_too_much() {
    fn many(names: usize) -> Metadata {
        let mut metadata = Metadata::new();
        for n in 0..25_000 {
            metadata.append(&format!("x-{}", n % names), "1").expect("legal");
        }
        metadata
    }
    let service = || {
        TestService::new().unary(async |request| {
            let (what, names) = request.message().split_at(1);
            let many = many(
                std::str::from_utf8(names)
                    .expect("digits")
                    .parse()
                    .expect("a number"),
            );
            let mut response = Response::new(Bytes::new());
            match what {
                b"h" => *response.metadata_mut() = many,
                b"t" => *response.trailers_mut() = many,
                _ => return Err(Status::not_found("no such order").with_metadata(many)),
            }
            Ok(response)
        })
    };
    for limit in [16 << 10, 16 << 20] {
        let peer = Peer::with(service(), |config| config.max_metadata_bytes = limit).await;
        for names in [1, 25_000] {
            for (what, code) in [
                ("h", Code::ResourceExhausted),
                ("t", Code::ResourceExhausted),
                ("f", Code::NotFound),
            ] {
                let answer = peer.call("/test.Test/Unary", format!("{what}{names}")).await;
                assert_eq!(answer.code(), code as u32, "{what} {names}");
            }
        }
    }
}

#[tokio::test]
async fn too_much_metadata_fails_the_call_and_spares_the_connection() {
    let peer = Peer::with(TestService::new(), |config| config.max_metadata_bytes = 4096).await;
    let request = with_header(post("/test.Test/Unary"), "x-large", &"x".repeat(4096));
    let answer = peer.request(request, frame("x")).await;
    assert_eq!(answer.code(), Code::ResourceExhausted as u32);
    let request = with_header(post("/test.Test/Unary"), "x-fits", &"x".repeat(3500));
    assert_eq!(peer.request(request, frame("x")).await.code(), 0);
    peer.assert_alive().await;
}

/// Commas take little of the wire, and each begins an entry of its own.
#[tokio::test]
async fn bytes_that_were_joined_count_one_by_one() {
    let service = TestService::new().unary(async |request| {
        let entries = request.metadata().len().to_string();
        Ok(Response::new(entries.into()))
    });
    let peer = Peer::new(service).await;
    let joined = |commas: usize| with_header(post("/test.Test/Unary"), "a-bin", &",".repeat(commas));
    let answer = peer.request(joined(16_000), frame("")).await;
    assert_eq!(answer.code(), Code::ResourceExhausted as u32, "{answer:?}");
    let answer = peer.request(joined(400), frame("")).await;
    assert_eq!(answer.messages(), ["401"]);
}

#[tokio::test]
async fn far_too_much_is_431() {
    // A client made of h2 would not send it: the server has told its limit.
    let mut peer = RawPeer::new(TestService::new(), |config| config.max_metadata_bytes = 2048).await;
    let value = "x".repeat(12_000);
    peer.write(&raw_frame(
        kind::HEADERS,
        4,
        1,
        &header_block(&[("x-large", &value)]),
    ))
    .await;
    let headers = peer.read_kind(kind::HEADERS).await.expect("the connection lives");
    assert_eq!((headers.stream, headers.flags & 1), (1, 1), "it ends the stream");
    peer.assert_alive(3).await;
}

#[tokio::test]
async fn too_much_metadata_in_a_reply_is_a_failure_of_the_call() {
    let service = TestService::new()
        .unary(async |request| {
            let mut response = Response::new(request.into_inner());
            let large = match &response.message()[..] {
                b"headers" => response.metadata_mut(),
                b"trailers" => response.trailers_mut(),
                _ => return Ok(response),
            };
            large.insert("x-large", &"x".repeat(20_000)).expect("legal");
            Ok(response)
        })
        .download(async |_| {
            let mut response = Response::new(Streaming::from_iter([Bytes::from_static(b"x")]));
            response
                .trailers_mut()
                .insert("x-large", &"x".repeat(20_000))
                .expect("legal");
            Ok(response)
        });
    let peer = Peer::new(service).await;
    for (path, message) in [
        ("/test.Test/Unary", "headers"),
        ("/test.Test/Unary", "trailers"),
        ("/test.Test/Download", "x"),
    ] {
        let answer = peer.call(path, message).await;
        assert_eq!(answer.code(), Code::ResourceExhausted as u32, "{path} {message}");
        peer.assert_alive().await;
    }
}
