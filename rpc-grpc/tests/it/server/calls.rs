//! Calls that go well, and those that fail as their handler says.

use std::sync::Arc;

use bytes::Bytes;
use rpc_core::{
    Code, Context, Response, Status, Streaming,
    context::Caller,
    transport::{Accepted, Drain, DrainPhase, ServerTransport},
};
use rpc_grpc::GrpcServer;

use super::{
    peer::{Answer, Peer, frame, post, with_header, within},
    service::TestService,
};

#[tokio::test]
async fn a_unary_call_is_answered() {
    let peer = Peer::new(TestService::new()).await;
    let answer = peer.call("/test.Test/Unary", "hello").await;
    assert_eq!(answer.http, 200);
    assert_eq!(answer.headers["content-type"], "application/grpc");
    assert_eq!(answer.messages(), ["hello"]);
    assert_eq!(answer.code(), 0);
    assert!(answer.trailers.is_some());
}

#[tokio::test]
async fn all_four_shapes_are_answered() {
    let peer = Peer::new(TestService::new()).await;
    let two = Bytes::from([frame("a"), frame("b")].concat());
    let upload = peer.request(post("/test.Test/Upload"), two.clone()).await;
    assert_eq!(upload.messages(), ["ab"]);
    let download = peer.call("/test.Test/Download", "x").await;
    assert_eq!(download.messages(), ["x", "x"]);
    let chat = peer.request(post("/test.Test/Chat"), two).await;
    assert_eq!(chat.messages(), ["a", "b"]);
    assert_eq!((upload.code(), download.code(), chat.code()), (0, 0, 0));
}

#[tokio::test]
async fn an_empty_message_and_a_large_one_arrive() {
    let peer = Peer::new(TestService::new()).await;
    assert_eq!(peer.call("/test.Test/Unary", "").await.messages(), [""]);
    let large = Bytes::from(vec![7; 3 << 20]);
    let mut call = peer.begin(post("/test.Test/Unary")).await;
    let (answer, sent) = tokio::join!(
        async { Answer::of(call.response).await },
        super::peer::send_all(&mut call.stream, frame(&large), true)
    );
    sent.expect("the server reads");
    assert_eq!(answer.code(), 0);
    assert_eq!(answer.messages(), [large]);
}

#[tokio::test]
async fn the_answer_names_the_codec_that_was_asked_for() {
    let peer = Peer::new(TestService::new()).await;
    let mut request = post("/test.Test/Unary");
    request
        .headers_mut()
        .insert("content-type", "application/grpc+proto".parse().expect("legal"));
    let answer = peer.request(request, frame("x")).await;
    assert_eq!(answer.headers["content-type"], "application/grpc+proto");
    assert_eq!(answer.messages(), ["x"]);
}

#[tokio::test]
async fn a_failure_before_any_message_is_one_block_of_headers() {
    let service = TestService::new()
        .unary(async |_| Err(Status::not_found("no such article: 100 %\n").with_reason("SKU_UNKNOWN")))
        .download(async |_| Ok(Response::new(Streaming::new(Failing(0)))));
    let peer = Peer::new(service).await;
    for path in ["/test.Test/Unary", "/test.Test/Download"] {
        let answer = peer.call(path, "x").await;
        assert!(answer.is_trailers_only(), "{answer:?}");
        assert_eq!(answer.code(), Code::NotFound as u32);
        assert_eq!(answer.field("grpc-message"), Some("no such article: 100 %25%0A"));
        assert_eq!(answer.headers["content-type"], "application/grpc");
    }
}

#[tokio::test]
async fn a_failure_after_a_message_is_in_the_trailers() {
    let service = TestService::new().download(async |_| Ok(Response::new(Streaming::new(Failing(2)))));
    let peer = Peer::new(service).await;
    let answer = peer.call("/test.Test/Download", "x").await;
    assert_eq!(answer.messages(), ["m", "m"]);
    assert_eq!(
        answer.trailers.as_ref().expect("there are some")["grpc-status"],
        "5"
    );
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_call_only() {
    let service = TestService::new()
        .unary(async |request| {
            if request.message() == "panic" {
                panic!("a test does this")
            } else {
                Ok(Response::new(request.into_inner()))
            }
        })
        .download(async |_| Ok(Response::new(Streaming::new(Panicking))));
    let peer = Peer::new(service).await;
    for path in ["/test.Test/Unary", "/test.Test/Download"] {
        let answer = peer.call(path, "panic").await;
        assert_eq!(answer.code(), Code::Internal as u32, "{answer:?}");
        assert!(
            !answer
                .field("grpc-message")
                .unwrap_or_default()
                .contains("a test"),
            "the text stays here"
        );
    }
    peer.assert_alive().await;
}

#[tokio::test]
async fn unknown_methods_and_services_are_refused() {
    let peer = Peer::new(TestService::new()).await;
    for path in [
        "/test.Test/Nothing",
        "/other.Service/Unary",
        "/",
        "/test.Test",
        "//",
        "/test.Test/Unary/x",
    ] {
        let answer = peer.call(path, "x").await;
        assert_eq!(answer.code(), Code::Unimplemented as u32, "{path}");
        assert!(answer.is_trailers_only());
    }
    peer.assert_alive().await;
}

#[tokio::test]
async fn headers_do_not_wait_for_a_message_that_is_not_there() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<()>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let service = TestService::new().download(move |_| {
        let receiver = receiver.clone();
        async move {
            let mut response = Response::new(Streaming::new(After(receiver)));
            response.metadata_mut().insert("x-early", "yes").expect("legal");
            Ok(response)
        }
    });
    let peer = Peer::new(service).await;
    let mut call = peer.begin(post("/test.Test/Download")).await;
    call.stream
        .send_data(frame("x"), true)
        .expect("the stream is open");
    let response = within(call.response)
        .await
        .expect("headers come before the first message");
    assert_eq!(response.headers()["x-early"], "yes");
    sender.send(()).await.expect("it is awaited");
    let mut body = response.into_body();
    assert_eq!(
        within(body.data()).await.expect("a message").expect("no error"),
        frame("late")
    );
}

#[tokio::test]
async fn a_handler_sees_its_context() {
    let service = TestService::new().unary(async |request| {
        let context = Context::current();
        let caller = context.caller().map(|caller| caller.protocol().to_owned());
        let tenant = request.metadata().get("x-tenant").map(str::to_owned);
        let lane = context.lane().map(ToString::to_string);
        Ok(Response::new(
            format!("{caller:?} {tenant:?} {lane:?} {}", context.deadline().is_some()).into(),
        ))
    });
    let peer = Peer::new(service).await;
    let mut request = with_header(post("/test.Test/Unary"), "x-tenant", "acme");
    request = with_header(request, "x-md-global-color", "blue");
    request = with_header(request, "grpc-timeout", "10S");
    let answer = peer.request(request, frame("")).await;
    assert_eq!(
        answer.messages(),
        [r#"Some("grpc") Some("acme") Some("blue") true"#]
    );
}

#[tokio::test]
async fn many_calls_at_once_are_all_answered() {
    let service = TestService::new().unary(async |request| {
        // Every other one must wait.
        if request.message().len() % 2 == 0 {
            tokio::task::yield_now().await;
        }
        Ok(Response::new(request.into_inner()))
    });
    let peer = Arc::new(Peer::new(service).await);
    let calls = (0..200).map(|n| {
        let peer = Arc::clone(&peer);
        tokio::spawn(async move {
            let message = vec![1; n];
            assert_eq!(
                peer.call("/test.Test/Unary", &message).await.messages(),
                [message]
            );
        })
    });
    for call in calls.collect::<Vec<_>>() {
        within(call).await.expect("it does not panic");
    }
}

#[tokio::test]
async fn a_method_whose_handler_computes_is_answered_all_the_same() {
    let service = TestService::new().unary(async |request| {
        // Longer than a first poll may take: it is moved off the connection's task after a few calls.
        let end = std::time::Instant::now() + std::time::Duration::from_micros(200);
        while std::time::Instant::now() < end {
            std::hint::spin_loop();
        }
        Ok(Response::new(request.into_inner()))
    });
    let peer = Peer::new(service).await;
    for n in 0..20u8 {
        assert_eq!(peer.call("/test.Test/Unary", [n]).await.messages(), [vec![n]]);
        assert_eq!(peer.call("/test.Test/Upload", [n]).await.messages(), [vec![n]]);
    }
}

/// Over a socket, which reads and writes in other pieces than memory does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_over_tcp() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (drain, view) = Drain::new();
    let served = tokio::spawn(async move {
        let (io, peer) = listener.accept().await.expect("the client connects");
        let (local, peer) = (Some(address.into()), Some(peer.into()));
        let connection = Accepted {
            io: Box::new(io),
            local,
            peer,
            secure: false,
        };
        let service = TestService::new().unary(async |request| {
            assert!(
                Context::current().caller().and_then(Caller::peer).is_some(),
                "the address is known"
            );
            if request.message().len() % 3 == 0 {
                tokio::task::yield_now().await;
            }
            Ok(Response::new(request.into_inner()))
        });
        GrpcServer::default()
            .serve(connection, service.dispatch(), view)
            .await;
    });
    let io = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(1 << 20)
        .initial_connection_window_size(8 << 20);
    let (client, connection) = within(builder.handshake::<_, Bytes>(io))
        .await
        .expect("it speaks HTTP/2");
    let closed = tokio::spawn(connection);
    let calls = (0..64).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            for size in [0, 1, n, 1000, 20_000 * n % 300_000] {
                let message = Bytes::from(vec![n as u8; size]);
                let mut send = within(client.clone().ready())
                    .await
                    .expect("the connection lives");
                let (response, mut stream) =
                    send.send_request(post("/test.Test/Unary"), false).expect("legal");
                let (answer, written) = tokio::join!(
                    Answer::of(response),
                    super::peer::send_all(&mut stream, frame(&message), true)
                );
                written.expect("the server reads");
                assert_eq!(answer.messages(), [message]);
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        within(call).await.expect("it does not panic");
    }
    drain.advance(DrainPhase::Draining);
    within(served).await.expect("it does not panic");
    within(closed)
        .await
        .expect("it does not panic")
        .expect("a clean end");
}

/// So many messages, and then NOT_FOUND.
struct Failing(usize);

impl tokio_stream::Stream for Failing {
    type Item = Result<Bytes, Status>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some(if self.0 == 0 {
            Err(Status::not_found("no such article: 100 %\n"))
        } else {
            self.0 -= 1;
            Ok(Bytes::from_static(b"m"))
        }))
    }
}

struct Panicking;

impl tokio_stream::Stream for Panicking {
    type Item = Result<Bytes, Status>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        panic!("a test does this")
    }
}

/// One message, once it is allowed.
struct After(Arc<tokio::sync::Mutex<tokio::sync::mpsc::Receiver<()>>>);

impl tokio_stream::Stream for After {
    type Item = Result<Bytes, Status>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let mut receiver = self.0.try_lock().expect("nobody else has it");
        receiver
            .poll_recv(cx)
            .map(|allowed| allowed.map(|()| Ok(Bytes::from_static(b"late"))))
    }
}
