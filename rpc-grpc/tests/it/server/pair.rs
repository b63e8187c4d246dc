//! Our own client against our own server, over sockets.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rpc_core::{
    Call, Channel, Code, Reply, Request, Response, Result, Stage, Status, Streaming, client,
    net::Address,
    transport::{Accepted, Drain, DrainHandle, DrainPhase, Link, ServerTransport, Transport},
};
use rpc_grpc::{ClientConfig, GrpcServer, GrpcTransport};
use tokio::net::TcpListener;

use super::{
    peer::within,
    service::{TYPES, TestService},
};

/// Passes calls on to a link.
struct Direct(Arc<dyn Link>);

impl Stage for Direct {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
        self.0.call(call).await
    }
}

/// A server on a port of its own, and a channel to it.
async fn pair(service: TestService) -> (Channel, DrainHandle) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
    let address = Address::from(listener.local_addr().expect("it is bound"));
    let (drain, _) = Drain::new();
    let (dispatch, handle) = (service.dispatch(), drain.clone());
    tokio::spawn(async move {
        let server = GrpcServer::default();
        while let Ok((io, peer)) = listener.accept().await {
            let (local, peer) = (io.local_addr().ok().map(Address::from), Some(peer.into()));
            let connection = Accepted {
                io: Box::new(io),
                local,
                peer,
                secure: false,
            };
            tokio::spawn(server.serve(connection, dispatch.clone(), handle.subscribe()));
        }
    });
    let transport = GrpcTransport::new(ClientConfig::default()).expect("the defaults are legal");
    (Channel::new(Direct(transport.link(&address))), drain)
}

fn request(message: &'static str) -> Request<Bytes> {
    Request::new(Bytes::from_static(message.as_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_shapes_are_answered() {
    let (channel, _drain) = pair(TestService::new()).await;
    let unary = within(client::unary(&channel, &TYPES[0], request("x")))
        .await
        .expect("it succeeds");
    assert_eq!(unary.into_inner(), "x");
    let rows = Streaming::from_iter(["a", "b"].map(|row| Bytes::from_static(row.as_bytes())));
    let upload = within(client::client_streaming(&channel, &TYPES[1], Request::new(rows))).await;
    assert_eq!(upload.expect("it succeeds").into_inner(), "ab");
    let download = within(client::server_streaming(&channel, &TYPES[2], request("x"))).await;
    let mut download = download.expect("it succeeds").into_inner();
    let mut count = 0;
    while let Some(message) = within(download.message()).await.expect("it succeeds") {
        assert_eq!(message, "x");
        count += 1;
    }
    assert_eq!(count, 2);
    let (sender, changes) = Streaming::channel(1);
    let chat = within(client::bidi(&channel, &TYPES[3], Request::new(changes))).await;
    let mut chat = chat.expect("it begins").into_inner();
    for n in 0..10u8 {
        sender.send(Bytes::from(vec![n])).await.expect("it is read");
        assert_eq!(
            within(chat.message()).await.expect("it succeeds").expect("one"),
            vec![n]
        );
    }
    drop(sender);
    assert!(within(chat.message()).await.expect("it succeeds").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_and_deadlines_arrive_as_what_they_are() {
    let service = TestService::new().unary(async |request| {
        if request.message() == "wait" {
            std::future::pending::<()>().await;
        }
        let status = Status::failed_precondition("not \u{263a} yet")
            .with_reason("TOO_EARLY")
            .with_domain("shop");
        Err::<Response<_>, _>(status)
    });
    let (channel, _drain) = pair(service).await;
    let status = within(client::unary(&channel, &TYPES[0], request("x")))
        .await
        .expect_err("it fails");
    assert_eq!(
        (status.code(), status.message()),
        (Code::FailedPrecondition, "not \u{263a} yet")
    );
    assert_eq!(
        (status.reason(), status.domain()),
        (Some("TOO_EARLY"), Some("shop"))
    );
    let late = request("wait").with_timeout(Duration::from_millis(50));
    let status = within(client::unary(&channel, &TYPES[0], late))
        .await
        .expect_err("it fails");
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_share_a_connection() {
    let service = TestService::new().unary(async |request| {
        if request.message().len() % 2 == 0 {
            tokio::task::yield_now().await;
        }
        Ok(Response::new(request.into_inner()))
    });
    let (channel, drain) = pair(service).await;
    let callers = (0..64usize).map(|n| {
        let channel = channel.clone();
        tokio::spawn(async move {
            for size in [0, n, 1000, n * 5000] {
                let message = Bytes::from(vec![n as u8; size]);
                let answer = within(client::unary(&channel, &TYPES[0], Request::new(message.clone()))).await;
                assert_eq!(answer.expect("it succeeds").into_inner(), message);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        within(caller).await.expect("it does not panic");
    }
    drain.advance(DrainPhase::Draining);
}
