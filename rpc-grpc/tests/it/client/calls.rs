//! One call, and all that an answer may be.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use rpc_core::{
    Code, Deadline, Method, Status,
    status::{Side, reason},
};

use super::support::*;

const OK: (&str, &str) = ("grpc-status", "0");

/// A call that is answered by one block of headers.
async fn answered_by(head: &'static [(&'static str, &'static str)]) -> Status {
    let (_net, link) = served(|_| (), move |mut exchange| async move { exchange.end(head) });
    unary(&link, "x").await.expect_err("no such answer is a success")
}

#[tokio::test(start_paused = true)]
async fn a_unary_call_carries_message_metadata_and_peer() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let metadata = exchange
                .request
                .headers()
                .get("x-in")
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let sent = exchange.read().await;
            let mut stream = exchange
                .respond
                .send_response(head(&[("x-out", &metadata)]), false)
                .unwrap();
            stream.send_data(sent, false).unwrap();
            stream
                .send_trailers(headers(&[OK, ("x-end", "end"), ("x-bytes-bin", "AAE")]))
                .unwrap();
        },
    );
    let mut call = call(&UNARY, "hello");
    call.metadata.insert("x-in", "in").unwrap();
    let reply = link.call(&mut call).await.unwrap();
    assert_eq!(reply.metadata.get("x-out"), Some("in"));
    assert_eq!(reply.trailers.get("x-end"), Some("end"));
    assert_eq!(
        reply.trailers.get_bin("x-bytes-bin").as_deref(),
        Some(&[0, 1][..])
    );
    assert_eq!(reply.trailers.len(), 2, "the protocol's own are left out");
    assert_eq!(reply.peer.as_deref(), Some(&address()));
    assert_eq!(message_of(reply), "hello");
}

#[tokio::test(start_paused = true)]
async fn the_head_of_a_request_is_what_grpc_says() {
    let (sender, mut heads) = tokio::sync::mpsc::unbounded_channel();
    let (_net, link) = served(
        |config| config.user_agent = Some("shop/1".into()),
        move |exchange| {
            sender.send(exchange.request.clone()).unwrap();
            exchange.echo()
        },
    );
    let mut call = call(&UNARY, "");
    call.context = call
        .context
        .with_deadline(Deadline::after(Duration::from_secs(5)));
    call.metadata.insert("x-own", "1").unwrap();
    link.call(&mut call).await.unwrap();
    let request = heads.recv().await.unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "http://10.0.0.1:50051/t.S/Unary");
    let names: Vec<_> = request.headers().keys().map(http::HeaderName::as_str).collect();
    let expected = [
        "grpc-timeout",
        "te",
        "content-type",
        "grpc-accept-encoding",
        "user-agent",
        "x-own",
    ];
    assert_eq!(names, expected);
    let value = |name| request.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(value("grpc-timeout"), "5S");
    assert_eq!(value("te"), "trailers");
    assert_eq!(value("content-type"), "application/grpc+proto");
    assert!(value("user-agent").starts_with("shop/1 grpc-rust-"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_is_not_sent() {
    let (net, link) = served(|_| (), Exchange::echo);
    unary(&link, "x").await.unwrap();
    let mut call = call(&UNARY, "x");
    call.context = call.context.with_deadline(Deadline::after(Duration::ZERO));
    let status = link.call(&mut call).await.unwrap_err();
    assert_eq!(
        (status.code(), status.was_processed()),
        (Code::DeadlineExceeded, false)
    );
    assert_eq!(net.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn trailers_only_is_the_servers_status() {
    let status = answered_by(&[
        ("grpc-status", "5"),
        ("grpc-message", "not%20here"),
        ("x-why", "because"),
        ("grpc-retry-pushback-ms", "20"),
    ])
    .await;
    assert_eq!((status.code(), status.message()), (Code::NotFound, "not here"));
    assert_eq!(status.metadata().get("x-why"), Some("because"));
    assert_eq!(status.pushback(), Some(Duration::from_millis(20)));
    assert_eq!(status.place().side(), Some(Side::Server));
    assert_eq!(status.place().peer(), Some(&address()));
    assert!(status.was_processed());
}

/// A server in another language passes on what it got from further down, details and all.
#[tokio::test(start_paused = true)]
async fn not_processed_is_believed_of_the_method_that_was_called() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let path = String::from_utf8(exchange.read().await[5..].to_vec()).unwrap();
            let refused = Status::unavailable("")
                .at_method(&Method::unknown(&path))
                .not_processed();
            let details = STANDARD_NO_PAD.encode(refused.encode_details(1024).unwrap());
            exchange.end(&[("grpc-status", "14"), ("grpc-status-details-bin", &details)]);
        },
    );
    for (path, processed) in [("/t.S/Unary", false), ("/t.S/Other", true), ("true", true)] {
        let status = unary(&link, path).await.unwrap_err();
        assert_eq!(
            (status.code(), status.was_processed()),
            (Code::Unavailable, processed),
            "{path}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_grpc_is_judged_by_its_http_status() {
    for (http, code) in [
        ("400", Code::Internal),
        ("401", Code::Unauthenticated),
        ("403", Code::PermissionDenied),
        ("404", Code::Unimplemented),
        ("429", Code::Unavailable),
        ("502", Code::Unavailable),
        ("503", Code::Unavailable),
        ("504", Code::Unavailable),
        ("500", Code::Unknown),
        ("200", Code::Unknown),
    ] {
        let (_net, link) = served(
            |_| (),
            move |mut exchange| async move {
                let mut stream = exchange
                    .respond
                    .send_response(head(&[(":status", http), ("content-type", "text/html")]), false)
                    .unwrap();
                stream.send_data("<html>".into(), true).unwrap();
            },
        );
        let status = unary(&link, "x").await.unwrap_err();
        assert_eq!(status.code(), code, "{http}");
        assert!(status.message().contains("text/html"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_status_is_unknown() {
    assert_eq!(answered_by(&[]).await.code(), Code::Unknown);
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move { exchange.answer(&[b"x"], &[]) },
    );
    assert_eq!(unary(&link, "x").await.unwrap_err().code(), Code::Unknown);
    assert_eq!(answered_by(&[("grpc-status", "77")]).await.code(), Code::Unknown);
    assert_eq!(answered_by(&[("grpc-status", "x")]).await.code(), Code::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_grpc_status_beats_the_http_status() {
    assert_eq!(
        answered_by(&[(":status", "503"), ("grpc-status", "7")])
            .await
            .code(),
        Code::PermissionDenied
    );
    assert_eq!(
        answered_by(&[("content-type", ""), ("grpc-status", "7")])
            .await
            .code(),
        Code::PermissionDenied
    );
}

#[tokio::test(start_paused = true)]
async fn codecs_and_codings_that_were_not_asked_for_are_refused() {
    let status = answered_by(&[("content-type", "application/grpc+json"), OK]).await;
    assert_eq!(status.code(), Code::Internal, "{status}");
    let status = answered_by(&[("content-type", "application/grpc+json"), ("grpc-status", "7")]).await;
    assert_eq!(status.code(), Code::PermissionDenied, "a failure is in no codec");
    assert_eq!(
        answered_by(&[("content-type", "application/grpc-web"), OK])
            .await
            .code(),
        Code::Unknown
    );
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let mut stream = exchange
                .respond
                .send_response(head(&[("grpc-encoding", "snappy")]), false)
                .unwrap();
            let _ = stream.send_data(framed(b"x").into(), false);
            let _ = stream.send_trailers(headers(&[OK]));
        },
    );
    let status = unary(&link, "x").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().contains("snappy"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn exactly_one_message_answers_a_unary_call() {
    static NONE: [&[u8]; 0] = [];
    static TWO: [&[u8]; 2] = [b"a", b"b"];
    for messages in [&NONE[..], &TWO] {
        let (_net, link) = served(
            |_| (),
            move |mut exchange| async move { exchange.answer(messages, &[OK]) },
        );
        let status = unary(&link, "x").await.unwrap_err();
        assert_eq!(
            (status.code(), status.reason()),
            (Code::Unimplemented, Some(reason::MESSAGE_COUNT))
        );
    }
    assert_eq!(answered_by(&[OK]).await.code(), Code::Unimplemented);
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_a_message_is_a_failure() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            exchange.answer(&[b"x"], &[("grpc-status", "10"), ("x-why", "late")]);
        },
    );
    let status = unary(&link, "x").await.unwrap_err();
    assert_eq!(
        (status.code(), status.metadata().get("x-why")),
        (Code::Aborted, Some("late"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_broken_off_is_internal() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
            stream
                .send_data(framed(b"whole")[..7].to_vec().into(), false)
                .unwrap();
            stream.send_trailers(headers(&[OK])).unwrap();
        },
    );
    assert_eq!(unary(&link, "x").await.unwrap_err().code(), Code::Internal);
}

#[tokio::test(start_paused = true)]
async fn resets_are_told_apart() {
    use h2::Reason;
    for (reset, code) in [
        (Reason::CANCEL, Code::Cancelled),
        (Reason::INTERNAL_ERROR, Code::Internal),
        (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
    ] {
        let (net, link) = served(
            |_| (),
            move |mut exchange| async move { exchange.respond.send_reset(reset) },
        );
        let status = unary(&link, "x").await.unwrap_err();
        assert_eq!(status.code(), code, "{reset:?}");
        assert_eq!(status.place().side(), Some(Side::Server));
        assert_eq!(
            net.dials(),
            1,
            "a reset of one stream leaves the connection alone"
        );
    }
}

/// A server keeps the deadline, too, and may be quicker to say so than our timer, which is never early.
#[tokio::test(start_paused = true)]
async fn a_cancelling_reset_after_the_deadline_is_the_deadline() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    for (after, code) in [(TIMEOUT, Code::DeadlineExceeded), (TIMEOUT / 2, Code::Cancelled)] {
        let (_net, link) = served(
            |_| (),
            move |mut exchange| async move {
                tokio::time::sleep(after).await;
                exchange.respond.send_reset(h2::Reason::CANCEL);
            },
        );
        let mut call = call(&UNARY, "x");
        call.context = call.context.with_deadline(Deadline::after(TIMEOUT));
        let status = link.call(&mut call).await.unwrap_err();
        assert_eq!(status.code(), code, "{after:?}");
        assert_eq!(status.place().side(), Some(Side::Server));
    }
}

#[tokio::test(start_paused = true)]
async fn so_is_one_in_the_middle_of_an_answer() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let mut stream = exchange.respond.send_response(head(&[]), false).unwrap();
            stream.send_data(framed(b"one").into(), false).unwrap();
            tokio::time::sleep(TIMEOUT).await;
            stream.send_reset(h2::Reason::CANCEL);
        },
    );
    let mut call = call(&WATCH, "x");
    call.context = call.context.with_deadline(Deadline::after(TIMEOUT));
    let mut replies = replies_of(link.call(&mut call).await.unwrap());
    assert_eq!(next(&mut replies).await.unwrap().unwrap(), "one");
    let status = next(&mut replies).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn informational_heads_are_skipped() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let mut early = http::Response::new(());
            *early.status_mut() = http::StatusCode::EARLY_HINTS;
            exchange.respond.send_informational(early).unwrap();
            exchange.echo().await;
        },
    );
    assert_eq!(unary(&link, "hello").await.unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_request_is_through_counts() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            // Dropped with its request unread: h2 resets it with NO_ERROR after the answer.
            exchange.answer(&[b"enough"], &[OK]);
        },
    );
    let (_sender, body) = requests();
    let mut call = streaming_call(&UPLOAD, body);
    let reply = within("the answer", link.call(&mut call)).await.unwrap();
    assert_eq!(message_of(reply), "enough");
}
