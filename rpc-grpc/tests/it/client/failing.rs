//! Request streams that fail, or that the server wants no more of, and why their calls ended.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use rpc_core::{
    BoxFuture, Code, Status,
    net::{Address, Dialed},
    status::{Side, reason},
    transport::{Io, Transport as _, supervise::Connect},
};
use rpc_grpc::{ClientConfig, GrpcTransport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::support::*;

#[tokio::test(start_paused = true)]
async fn a_request_stream_that_fails_ends_the_call_with_its_failure() {
    for method in [&UPLOAD, &SYNC] {
        for late in [false, true] {
            let (resets, mut seen) = tokio::sync::mpsc::unbounded_channel();
            let (_net, link) = served(
                |_| (),
                move |mut exchange| {
                    let resets = resets.clone();
                    async move {
                        let stream = exchange.respond.send_response(head(&[]), false);
                        while let Some(Ok(_)) = exchange.body.data().await {}
                        resets.send(()).unwrap();
                        drop(stream);
                    }
                },
            );
            let (sender, body) = requests();
            let failure = || Err(Status::aborted("the disk is gone"));
            if !late {
                sender.send(failure()).unwrap();
            }
            let calling = tokio::spawn(async move {
                let reply = link.call(&mut streaming_call(method, body)).await?;
                let mut replies = replies_of(reply);
                next(&mut replies).await.unwrap()
            });
            if late {
                settle().await;
                sender.send(failure()).unwrap();
            }
            let status = within("the failure", calling).await.unwrap().unwrap_err();
            assert_eq!(
                (status.code(), status.message()),
                (Code::Aborted, "the disk is gone")
            );
            assert_eq!(status.place().side(), Some(Side::Client));
            if late {
                within("the server sees it", seen.recv()).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_stream_that_fails_as_the_answer_begins_ends_the_call_with_its_failure() {
    for method in [&UPLOAD, &SYNC] {
        let (_net, link) = served(
            |_| (),
            |mut exchange| async move {
                let _stream = exchange.respond.send_response(head(&[]), false);
                while let Some(Ok(_)) = exchange.body.data().await {}
            },
        );
        link.connect();
        reaches(&link, "ready", rpc_core::transport::LinkState::is_ready).await;
        let (sender, body) = requests();
        let mut call = streaming_call(method, body);
        let mut calling = std::pin::pin!(link.call(&mut call));
        let polled = std::future::poll_fn(|cx| Poll::Ready(calling.as_mut().poll(cx).is_pending())).await;
        assert!(polled);
        // The call is not looked at until both are there.
        settle().await;
        sender.send(Err(Status::aborted("the disk is gone"))).unwrap();
        let outcome = match within("the answer", calling).await {
            Ok(reply) => within("the failure", next(&mut replies_of(reply))).await.unwrap(),
            Err(status) => Err(status),
        };
        assert_eq!(outcome.unwrap_err().code(), Code::Aborted);
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_counts_whatever_ends_the_upload_right_after_it() {
    const RST_STREAM: u8 = 3;
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    const ENDS_STREAM_AND_HEADERS: u8 = 5;
    // `:status` 200, `content-type`, and `grpc-status` 7.
    let block = b"\x88\x00\x0ccontent-type\x10application/grpc\x00\x0bgrpc-status\x017";
    for method in [&UPLOAD, &SYNC] {
        for reset in [true, false] {
            let (net, mut incoming) = Net::new();
            let link = link(&net);
            let (_sender, body) = requests();
            let calling = tokio::spawn(async move {
                let reply = link.call(&mut streaming_call(method, body)).await?;
                next(&mut replies_of(reply)).await.unwrap()
            });
            let mut peer = RawPeer::on(incoming.recv().await.unwrap()).await;
            while peer.frame().await.kind != HEADERS {}
            peer.write(HEADERS, ENDS_STREAM_AND_HEADERS, 1, block).await;
            if reset {
                peer.write(RST_STREAM, 0, 1, &CANCEL).await;
            } else {
                drop(peer);
            }
            let status = within("the refusal", calling).await.unwrap().unwrap_err();
            assert_eq!(status.code(), Code::PermissionDenied, "reset: {reset}, {status}");
        }
    }
}

/// The reader is told of the end while the request stream is still on its way out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_stream_that_is_slow_to_go_does_not_hide_its_failure() {
    let (_net, link) = served(
        |_| (),
        |mut exchange| async move {
            let _stream = exchange.respond.send_response(head(&[]), false);
            while let Some(Ok(_)) = exchange.body.data().await {}
        },
    );
    let (go, told) = tokio::sync::oneshot::channel();
    let (read, gone) = std::sync::mpsc::channel();
    let body = rpc_core::Body::Outgoing(Box::new(SlowToGo {
        told,
        gone: gone.into(),
    }));
    let reply = soon("the head", link.call(&mut streaming_call(&SYNC, body))).await;
    let mut replies = replies_of(reply.unwrap());
    go.send(()).unwrap();
    let status = soon("the failure", next(&mut replies))
        .await
        .unwrap()
        .unwrap_err();
    read.send(()).unwrap();
    assert_eq!(
        (status.code(), status.place().side()),
        (Code::Internal, Some(Side::Client)),
        "{status}"
    );
    assert_eq!(status.message(), "the request stream panicked: a test does this");
}

/// Panics when it is told, and takes its time to be dropped.
struct SlowToGo {
    told: tokio::sync::oneshot::Receiver<()>,
    gone: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl rpc_core::message::Outgoing for SlowToGo {
    fn poll_encode(
        &mut self,
        cx: &mut Context<'_>,
        _: &mut bytes::BytesMut,
    ) -> Poll<Option<Result<(), Status>>> {
        std::task::ready!(Pin::new(&mut self.told).poll(cx)).unwrap();
        panic!("a test does this")
    }
    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}

impl Drop for SlowToGo {
    fn drop(&mut self) {
        let _ = self.gone.get_mut().unwrap().recv_timeout(Duration::from_mins(1));
    }
}

/// The upload cannot be sent again, but whoever called may do it again.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_written_when_its_connection_was_lost_was_not_processed() {
    let (net, mut incoming) = Net::new();
    let connector = Arc::new(Breaking {
        net,
        broken: Arc::default(),
    });
    let broken = Arc::clone(&connector.broken);
    let transport = GrpcTransport::with_connector(ClientConfig::default(), connector).unwrap();
    let link = transport.link(&address());
    link.connect();
    let _peer = Peer::on(incoming.recv().await.unwrap()).await.detach();
    reaches(&link, "ready", rpc_core::transport::LinkState::is_ready).await;
    let (sender, body) = requests();
    sender.send(Ok("x".into())).unwrap();
    let mut call = streaming_call(&UPLOAD, body);
    let mut calling = std::pin::pin!(link.call(&mut call));
    let polled = std::future::poll_fn(|cx| Poll::Ready(calling.as_mut().poll(cx).is_pending())).await;
    assert!(polled);
    broken.store(true, SeqCst);
    let status = within("the failure", calling).await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::CONNECTION_LOST), "{status}");
    assert!(status.message().contains("a test does this"), "{status}");
    assert!(!status.was_processed(), "{status}");
}

/// A network whose connections can be broken: reading fails from then on.
struct Breaking {
    net: Arc<Net>,
    broken: Arc<AtomicBool>,
}

impl Connect for Breaking {
    fn connect<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        Box::pin(async {
            let io = self.net.connect(address).await?.io;
            let broken = Arc::clone(&self.broken);
            Ok(Dialed::new(Box::new(Breaks { io, broken })))
        })
    }
}

struct Breaks {
    io: Box<dyn Io>,
    broken: Arc<AtomicBool>,
}

impl AsyncRead for Breaks {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.broken.load(SeqCst) {
            return Poll::Ready(Err(io::Error::other("a test does this")));
        }
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Breaks {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
