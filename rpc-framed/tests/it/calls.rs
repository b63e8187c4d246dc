//! Unary calls: messages, metadata, failures, many at once.

use std::sync::Arc;

use bytes::Bytes;
use rpc_core::{
    Body, Call, Code, Context, Metadata, Method, Request, Response, Status, Streaming, client,
    context::Lane,
    message::{Encoded, SendCompressed},
    status::{Side, reason},
};

use tokio::sync::Notify;

use super::{
    service::{TYPES, TestService},
    support::{echo, pair, pair_with, request, unary, within},
};

#[tokio::test]
async fn a_message_goes_there_and_back() {
    let pair = pair(TestService::new()).await;
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
    assert_eq!(echo(&pair.channel, "").await.unwrap(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_all_sizes_arrive_whole() {
    let pair = pair(TestService::new()).await;
    for size in [
        1,
        2047,
        2048,
        16_383,
        16_384,
        131_071,
        131_072,
        131_073,
        262_144,
        1 << 20,
        4 << 20,
    ] {
        let message: Bytes = (0..size).map(|n: u32| (n % 251) as u8).collect::<Vec<_>>().into();
        assert!(
            echo(&pair.channel, message.clone()).await.unwrap() == message,
            "{size}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_a_connection() {
    let service = TestService::new().unary(async |request| {
        if request.message().len() % 2 == 0 {
            tokio::task::yield_now().await;
        }
        Ok(Response::new(request.into_inner()))
    });
    let pair = pair(service).await;
    let callers = (0..200usize).map(|n| {
        let channel = pair.channel.clone();
        tokio::spawn(async move {
            for size in [0, n, 1000, n * 900] {
                let message = Bytes::from(vec![n as u8; size]);
                assert!(echo(&channel, message.clone()).await.expect("it succeeds") == message);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        within(caller).await.expect("it does not panic");
    }
}

#[tokio::test]
async fn metadata_goes_both_ways_and_so_does_the_context() {
    let service = TestService::new().unary(async |request| {
        let lane = Context::with_current(|context| context.lane().map(|lane| lane.as_str().to_owned()));
        let mut response = Response::new(Bytes::from(lane.unwrap_or_default()));
        *response.metadata_mut() = request.metadata().clone();
        response.trailers_mut().insert("x-after", "all").unwrap();
        Ok(response)
    });
    let pair = pair(service).await;
    let mut asked = request("x").with_context(Context::new().with_lane(Lane::new("blue").unwrap()));
    asked.metadata_mut().insert("x-tenant", "acme").unwrap();
    asked
        .metadata_mut()
        .insert_bin("x-token-bin", b"\0\xff".as_slice())
        .unwrap();
    let response = unary(&pair.channel, asked).await.unwrap();
    assert_eq!(response.message(), "blue");
    assert_eq!(response.metadata().get("x-tenant"), Some("acme"));
    assert_eq!(
        response.metadata().get_bin("x-token-bin").as_deref(),
        Some(&b"\0\xff"[..])
    );
    assert_eq!(response.trailers().get("x-after"), Some("all"));
}

/// More than is allowed in all, than the format allows of a value, and of a key.
fn too_much() -> [Metadata; 3] {
    let entries = [("x-long", 20_000), ("x-longer", 70_000), (&*"x".repeat(256), 1)];
    entries.map(|(key, length)| {
        let mut metadata = Metadata::new();
        metadata.insert(key, &"a".repeat(length)).unwrap();
        metadata
    })
}

fn assert_too_much(status: &Status) {
    assert_eq!(
        (status.code(), status.reason()),
        (Code::ResourceExhausted, Some(reason::METADATA_TOO_LARGE))
    );
}

#[tokio::test]
async fn too_much_metadata_fails_the_call_and_not_the_connection() {
    let pair = pair(TestService::new()).await;
    for metadata in too_much() {
        let mut asked = request("x");
        *asked.metadata_mut() = metadata;
        assert_too_much(&unary(&pair.channel, asked).await.unwrap_err());
    }
    assert!(echo(&pair.channel, "y").await.is_ok());
}

#[tokio::test]
async fn too_much_metadata_of_an_answer_fails_it_as_well() {
    let service = TestService::new()
        .unary(async |request| {
            let [which, is_trailer] = request.message()[..] else {
                return Ok(Response::new(request.into_inner()));
            };
            let metadata = too_much()[usize::from(which)].clone();
            let mut response = Response::new(Bytes::new());
            match is_trailer {
                0 => *response.metadata_mut() = metadata,
                _ => *response.trailers_mut() = metadata,
            }
            Ok(response)
        })
        .download(async |request| {
            let which = usize::from(request.message()[0]);
            let mut response = Response::new(Streaming::from_iter([Bytes::new()]));
            *response.trailers_mut() = too_much()[which].clone();
            Ok(response)
        });
    let pair = pair(service).await;
    for which in 0..3 {
        for is_trailer in 0..2 {
            let status = echo(&pair.channel, vec![which, is_trailer]).await.unwrap_err();
            assert_too_much(&status);
        }
        let asked = Request::new(Bytes::from(vec![which]));
        let download = within(client::server_streaming(&pair.channel, &TYPES[2], asked)).await;
        let mut download = download.expect("it begins").into_inner();
        assert!(within(download.message()).await.expect("it arrives").is_some());
        assert_too_much(
            &within(download.message())
                .await
                .expect_err("its end is too large"),
        );
    }
    assert!(echo(&pair.channel, "y").await.is_ok());
}

#[tokio::test]
async fn failures_arrive_as_what_they_are() {
    let service = TestService::new().unary(async |_| {
        let mut status = Status::failed_precondition("not \u{263a} yet")
            .with_reason("TOO_EARLY")
            .with_domain("shop")
            .with_pushback(std::time::Duration::from_millis(30));
        status.metadata_mut().insert("x-why", "early").unwrap();
        Err::<Response<_>, _>(status)
    });
    let pair = pair(service).await;
    let status = echo(&pair.channel, "x").await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "not \u{263a} yet")
    );
    assert_eq!(
        (status.reason(), status.domain()),
        (Some("TOO_EARLY"), Some("shop"))
    );
    assert_eq!(status.pushback(), Some(std::time::Duration::from_millis(30)));
    assert_eq!(status.metadata().get("x-why"), Some("early"));
    assert_eq!(status.place().side(), Some(Side::Server));
    assert_eq!(status.place().peer(), Some(&pair.address));
    assert!(status.was_processed());
}

#[tokio::test]
async fn a_panic_is_internal_and_the_connection_lives_on() {
    let service = TestService::new().unary(async |request| {
        assert!(request.message() != "panic", "on purpose");
        Ok(Response::new(request.into_inner()))
    });
    let pair = pair(service).await;
    let status = echo(&pair.channel, "panic").await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Internal, Some(reason::HANDLER_PANICKED))
    );
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn unknown_methods_are_refused_and_not_processed() {
    use rpc_core::{
        MethodDescriptor, Shape,
        codec::{MessageCodec, MethodTypes},
    };
    static UNKNOWN: MethodDescriptor =
        MethodDescriptor::new("/test.Test/Nothing", Shape::Unary).codecs(&["proto"]);
    static RAW: [MessageCodec<Bytes>; 1] = [MessageCodec::of::<super::service::Raw>()];
    static TYPES: MethodTypes<Bytes, Bytes> = MethodTypes::new(&UNKNOWN, &RAW, &RAW);
    let pair = pair(TestService::new()).await;
    for _ in 0..2 {
        let status = within(client::unary(&pair.channel, &TYPES, request("x")))
            .await
            .unwrap_err();
        assert_eq!(
            (status.code(), status.reason(), status.was_processed()),
            (Code::Unimplemented, Some(reason::METHOD_UNKNOWN), false)
        );
    }
    assert_eq!(echo(&pair.channel, "x").await.unwrap(), "x");
}

#[tokio::test]
async fn limits_of_messages_fail_the_call_alone() {
    let service = TestService::new().unary(async |request| {
        let size = if request.message() == "much" { 3000 } else { 10 };
        Ok(Response::new(Bytes::from(vec![1; size])))
    });
    let pair = pair_with(
        service,
        |server| server.max_message_bytes = 200_000,
        |client| client.max_message_bytes = 2000,
    )
    .await;
    for size in [200_001, 100_000_usize] {
        let outcome = echo(&pair.channel, vec![0; size]).await;
        if size > 200_000 {
            let status = outcome.unwrap_err();
            assert_eq!(
                (status.code(), status.reason()),
                (Code::ResourceExhausted, Some(reason::MESSAGE_TOO_LARGE))
            );
        } else {
            assert_eq!(outcome.unwrap().len(), 10);
        }
    }
    let status = echo(&pair.channel, "much").await.unwrap_err();
    assert_eq!(
        (status.code(), status.place().side()),
        (Code::ResourceExhausted, Some(Side::Client))
    );
    assert!(echo(&pair.channel, "x").await.is_ok());
}

#[tokio::test]
async fn messages_are_compressed_where_that_is_asked_for() {
    let service = TestService::new().unary(async |request| {
        let came = request
            .extensions()
            .get::<rpc_core::message::ReceivedCompressed>()
            .is_some_and(rpc_core::message::ReceivedCompressed::get);
        let mut response = Response::new(Bytes::from(vec![u8::from(came); 100_000]));
        response.extensions_mut().insert(SendCompressed::new(came));
        Ok(response)
    });
    let pair = pair_with(
        service,
        |_| (),
        |client| client.compression = rpc_framed::Compression::of_name("gzip"),
    )
    .await;
    let response = unary(&pair.channel, Request::new(Bytes::from(vec![0; 300_000])))
        .await
        .unwrap();
    assert!(response.message().iter().all(|byte| *byte == 1) && response.message().len() == 100_000);
    let received = response
        .extensions()
        .get::<rpc_core::message::ReceivedCompressed>();
    assert!(received.is_some_and(rpc_core::message::ReceivedCompressed::get));
}

#[tokio::test]
async fn the_largest_message_arrives_even_if_it_cannot_be_compressed() {
    const MOST: usize = 300_000;
    let gzip = rpc_framed::Compression::of_name("gzip");
    let pair = pair_with(
        TestService::new(),
        |server| (server.compression, server.max_message_bytes) = (gzip, MOST),
        |client| (client.compression, client.max_message_bytes) = (gzip, MOST),
    )
    .await;
    let mut message = vec![0; MOST];
    fastrand::Rng::with_seed(7).fill(&mut message);
    assert!(echo(&pair.channel, message.clone()).await.expect("it fits") == message);
    // What is packed is not larger than that, and what it is unpacked to is.
    message.push(0);
    let status = echo(&pair.channel, message).await.expect_err("it does not fit");
    assert_eq!(status.reason(), Some(reason::MESSAGE_TOO_LARGE));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_than_the_server_takes_wait_for_their_turn() {
    let service = TestService::new().unary(async |request| {
        tokio::task::yield_now().await;
        Ok(Response::new(request.into_inner()))
    });
    let pair = Arc::new(pair_with(service, |server| server.max_concurrent_calls = 3, |_| ()).await);
    let callers: Vec<_> = (0..50)
        .map(|n: u8| {
            let pair = Arc::clone(&pair);
            tokio::spawn(async move {
                for _ in 0..20 {
                    assert_eq!(echo(&pair.channel, vec![n]).await.expect("it succeeds"), vec![n]);
                }
            })
        })
        .collect();
    for caller in callers {
        within(caller).await.expect("it does not panic");
    }
}

#[tokio::test]
async fn many_large_messages_at_once_do_not_wait_for_each_other() {
    let pair = pair_with(
        TestService::new(),
        |server| server.max_unwritten_bytes = 64 << 10,
        |client| client.max_unwritten_bytes = 64 << 10,
    )
    .await;
    let message = Bytes::from(vec![3; 64 << 10]);
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let (channel, message) = (pair.channel.clone(), message.clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    assert!(echo(&channel, message.clone()).await.expect("it succeeds") == message);
                }
            })
        })
        .collect();
    for caller in callers {
        within(caller).await.expect("it does not panic");
    }
}

#[tokio::test]
async fn names_that_are_too_long_fail_their_call_and_nothing_else() {
    let pair = pair(TestService::new()).await;
    let call = |path: usize, codec: usize| {
        let method = Method::unknown(&format!("/{}", "m".repeat(path - 1)));
        let body = Body::Encoded(Encoded { bytes: Bytes::new() });
        Call::new(method, "c".repeat(codec), body)
    };
    let (begun, link) = (Notify::new(), &pair.link);
    let other = async {
        echo(&pair.channel, "x").await.expect("it is connected");
        begun.notify_one();
        for _ in 0..50 {
            assert_eq!(echo(&pair.channel, "x").await.expect("it goes on"), "x");
        }
    };
    let long = async {
        begun.notified().await;
        for (path, codec) in [(1025, 5), (5, 65), (1 << 17, 5), (5, 256)] {
            let status = within(link.call(&mut call(path, codec)))
                .await
                .expect_err("too long");
            assert_eq!(
                (status.code(), status.place().side()),
                (Code::Internal, Some(Side::Client))
            );
            assert!(!status.was_processed());
        }
        let status = within(link.call(&mut call(1024, 64))).await.expect_err("unknown");
        assert_eq!(status.code(), Code::Unimplemented);
    };
    tokio::join!(other, long);
}
