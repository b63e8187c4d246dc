//! What a connection holds for its calls is bounded, and is given back however they end: on paused time, over a pipe in memory.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context as Poller, Waker},
};

use bytes::Bytes;
use rpc_core::{Body, Call, Reply, Status, message::Encoded, transport::Link};
use rpc_framed::ClientConfig;

use super::{
    peer::{Frame, Server},
    service::TYPES,
    support::{piped_link, within},
};

fn call(bytes: usize) -> Call<'static> {
    let bytes = Bytes::from(vec![7; bytes]);
    Call::new(TYPES[0].method(), "proto", Body::Encoded(Encoded { bytes }))
}

/// A link that is connected, and its server's end.
async fn connected(
    pipe: usize,
    calls: u32,
    change: impl FnOnce(&mut ClientConfig),
) -> (Arc<dyn Link>, Server) {
    let (link, theirs) = piped_link(pipe, change);
    let mut server = Server(theirs);
    let mut first = call(1);
    let (reply, ()) = tokio::join!(within(link.call(&mut first)), async {
        server.greet(calls).await;
        let request = server.next_request().await;
        server.answer(&request).await;
    });
    reply.expect("it is answered");
    (link, server)
}

/// Polls a call once, so that its request is sent.
async fn begin(
    call: Pin<&mut (impl Future<Output = Result<Reply, Status>> + ?Sized)>,
    server: &mut Server,
) -> Frame {
    let polled = call.poll(&mut Poller::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "it waits for its answer");
    server.next_request().await
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_looked_at_give_back_what_they_held() {
    const BYTES: usize = 700 << 10;
    let (link, mut server) = connected(1 << 16, 10, |config| config.max_buffered_bytes = 1 << 20).await;
    // The first is not complete, the others are.
    for complete in [false, true, true, true] {
        let mut given_up = call(1);
        let mut given_up = Box::pin(link.call(&mut given_up));
        let request = begin(given_up.as_mut(), &mut server).await;
        server.answer_large(&request, BYTES, complete).await;
    }
    let mut last = call(1);
    let (reply, ()) = tokio::join!(within(link.call(&mut last)), async {
        let request = server.next_request().await;
        server.answer_large(&request, BYTES, true).await;
    });
    let Body::Encoded(message) = reply.expect("it is answered").body else {
        panic!("it has one message");
    };
    assert_eq!(message.bytes.len(), BYTES);
}
