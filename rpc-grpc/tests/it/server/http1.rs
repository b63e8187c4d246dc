//! HTTP/1.1 on a port that speaks gRPC.

use rpc_core::transport::{DrainPhase, Recognition, ServerTransport};
use rpc_grpc::Http1Refusal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    peer::{Served, serve_with, within},
    service::TestService,
};

async fn answer_to(bytes: &[u8]) -> String {
    let Served {
        mut io,
        task,
        drain: _drain,
    } = serve_with(&Http1Refusal, TestService::new().dispatch(), 64 << 10);
    within(io.write_all(bytes)).await.expect("it reads");
    let mut answer = Vec::new();
    let _ = within(io.read_to_end(&mut answer)).await;
    within(task).await.expect("it does not panic");
    String::from_utf8(answer).expect("text")
}

#[tokio::test]
async fn a_request_is_told_what_the_port_speaks() {
    for request in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /a.B/C HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        assert_eq!(
            Http1Refusal.recognises(&request.as_bytes()[..12]),
            Recognition::Yes
        );
        let answer = answer_to(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert!(
            answer.contains("gRPC") && answer.to_lowercase().contains("upgrade: http/2"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn garbage_is_400() {
    for garbage in [
        &b"GET / HTTQ/1.1\r\n\r\n"[..],
        b"GET \0\0\0 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbroken header\r\n\r\n",
    ] {
        let answer = answer_to(garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let mut request = b"GET / HTTP/1.1\r\nhost: x\r\nx-large: ".to_vec();
    request.resize(40_000, b'x');
    let answer = answer_to(&request).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_given_up() {
    let Served {
        mut io,
        task,
        drain: _drain,
    } = serve_with(&Http1Refusal, TestService::new().dispatch(), 1024);
    within(io.write_all(b"GET / HT")).await.expect("it reads");
    within(task).await.expect("it does not panic");
}

#[tokio::test]
async fn it_does_not_hold_up_the_stop() {
    let Served { io: _io, task, drain } = serve_with(&Http1Refusal, TestService::new().dispatch(), 1024);
    drain.advance(DrainPhase::Draining);
    within(task).await.expect("it does not panic");
}
