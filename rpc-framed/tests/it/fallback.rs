//! A server that does not speak the protocol is called over another one, and no call fails for that.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rpc_core::{
    BoxFuture, Channel, Code, Response, Status,
    net::{Address, Dialed},
    status::reason,
    transport::{DrainHandle, DrainPhase, LinkState, LocalTransport, Transport, supervise::Connect},
};
use rpc_framed::{ClientConfig, FramedTransport, ServerConfig};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    peer::{GOAWAY, frame, preface},
    service::TestService,
    support::{Direct, echo, link, piped_link, serve_one, within},
};

/// Somebody else, who answers whatever is said with these bytes and hangs up.
async fn stranger(says: &'static [u8]) -> Address {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let mut first = [0; 8];
            let _ = io.read_exact(&mut first).await;
            let _ = io.write_all(says).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_over_the_other_transport() {
    for says in [
        &b""[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\x12\x04\0\0\0\0\0",
    ] {
        let address = stranger(says).await;
        let other = LocalTransport::new(TestService::new().dispatch());
        let transport = FramedTransport::new(ClientConfig::default())
            .unwrap()
            .with_fallback(Arc::new(other));
        let link = transport.link(&address);
        let channel = Channel::new(Direct(Arc::clone(&link)));
        let calls: Vec<_> = (0..20u8)
            .map(|n| {
                let channel = channel.clone();
                tokio::spawn(async move { echo(&channel, vec![n]).await })
            })
            .collect();
        for (n, call) in calls.into_iter().enumerate() {
            let answer = within(call).await.unwrap();
            assert_eq!(answer.expect("no call fails"), Bytes::from(vec![n as u8]));
        }
        assert!(link.state().borrow().is_ready());
        link.close();
        let mut states = link.state();
        within(states.wait_for(|state| matches!(state, LinkState::Closed)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn without_another_transport_it_says_what_is_wrong() {
    let address = stranger(b"SSH-2.0-x\r\n").await;
    let link = link(&address, |_| ());
    let status = echo(&Channel::new(Direct(link)), "x").await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECT_FAILED))
    );
    assert!(!status.was_processed());
    assert!(status.message().contains("does not speak"), "{status}");
}

/// A server that hangs up on the first connection, as if it came down, and serves those after it.
#[derive(Default)]
struct ComesDownOnce(Mutex<(usize, Vec<DrainHandle>)>);

impl Connect for ComesDownOnce {
    fn connect<'a>(&'a self, _: &'a Address) -> BoxFuture<'a, Result<Dialed, Status>> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (connects, drains) = &mut *self.0.lock().unwrap();
        *connects += 1;
        if *connects > 1 {
            drains.push(serve_one(TestService::new(), theirs, ServerConfig::default()).1);
        }
        Box::pin(async { Ok(Dialed::new(Box::new(ours))) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hung_up_once_is_not_taken_for_one_that_does_not_speak_it() {
    let elsewhere = TestService::new().unary(async |_| Ok(Response::new(Bytes::from_static(b"other"))));
    let other = LocalTransport::new(elsewhere.dispatch());
    let server = Arc::new(ComesDownOnce::default());
    let transport = FramedTransport::with_connector(ClientConfig::default(), server.clone())
        .unwrap()
        .with_fallback(Arc::new(other));
    let channel = Channel::new(Direct(transport.link(&"127.0.0.1:1".parse().unwrap())));
    assert_eq!(echo(&channel, "x").await.expect("no call fails"), "other");
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(echo(&channel, "x").await.expect("no call fails"), "x");
    assert_eq!(server.0.lock().unwrap().0, 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stops_says_so_to_who_comes() {
    let (link, io) = piped_link(1 << 16, |_| ());
    let (_served, drain) = serve_one(TestService::new(), io, ServerConfig::default());
    drain.advance(DrainPhase::Draining);
    let status = echo(&Channel::new(Direct(link)), "x").await.unwrap_err();
    assert_eq!(
        (status.code(), status.reason()),
        (Code::Unavailable, Some(reason::CONNECT_FAILED))
    );
    assert!(!status.was_processed());
    assert!(status.message().contains("goes away"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn why_a_server_takes_nobody_is_told() {
    let (link, mut io) = piped_link(1 << 16, |_| ());
    let mut goaway = vec![0; 8];
    goaway.extend(1_u16.to_le_bytes());
    goaway.extend(b"malformed");
    let mut says = preface(1, 1, &[]);
    says.extend(frame(GOAWAY, 0, 0, 0, 0, &goaway));
    io.write_all(&says).await.unwrap();
    let status = echo(&Channel::new(Direct(link)), "x").await.unwrap_err();
    assert_eq!(status.reason(), Some(reason::CONNECT_FAILED));
    assert!(status.message().contains("closes it: malformed"), "{status}");
}
