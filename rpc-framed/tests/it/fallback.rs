//! A server that does not speak the protocol is called over another one, and no call fails for that.

use std::sync::Arc;

use bytes::Bytes;
use rpc_core::{
    Channel, Code,
    net::Address,
    status::reason,
    transport::{LinkState, LocalTransport, Transport},
};
use rpc_framed::{ClientConfig, FramedTransport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{
    service::TestService,
    support::{Direct, echo, link, within},
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
