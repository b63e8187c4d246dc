use std::time::Duration;

use rpc_core::{
    Code,
    net::{Address, Dialer, ListenConfig, SocketOptions},
    status::{Side, reason},
};

use super::echo::{Serving, any_port, exchange, in_time};

#[tokio::test]
async fn a_socket_address_is_dialled() {
    let serving = Serving::start(&[any_port()], ListenConfig::default()).await;
    let mut dialed = in_time(Dialer::new().dial(&serving.addresses[0])).await.unwrap();
    assert_eq!(dialed.peer.as_ref(), Some(&serving.addresses[0]));
    assert!(!dialed.secure);
    assert_eq!(dialed.alpn, None);
    let (hello, back) = exchange(&mut *dialed.io, b"echo over tcp").await.unwrap();
    assert_eq!(hello, format!("[echo plain {}]", dialed.local.unwrap()));
    assert_eq!(back, b"echo over tcp");
    drop(dialed.io);
    serving.stop().await;
}

#[tokio::test]
async fn options_that_no_system_takes_are_named_and_fail_no_connect() {
    let serving = Serving::start(&[any_port()], ListenConfig::default()).await;
    let options = |keepalive, user_timeout| {
        let mut options = SocketOptions::default();
        (options.keepalive, options.user_timeout) = (keepalive, user_timeout);
        options
    };
    let second = Duration::from_secs(1);
    for (field, options) in [
        ("socket.keepalive", options(Some(second / 2), None)),
        ("socket.keepalive", options(Some(second * 36_000), None)),
        ("socket.user_timeout", options(None, Some(Duration::ZERO))),
        ("socket.user_timeout", options(None, Some(Duration::MAX))),
    ] {
        let dialer = Dialer::new().with_socket(options);
        assert_eq!(dialer.check().expect_err(field).field(), field);
        in_time(dialer.dial(&serving.addresses[0])).await.expect(field);
    }
    for options in [options(Some(second), Some(second)), options(None, None)] {
        Dialer::new().with_socket(options).check().unwrap();
    }
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let serving = Serving::start(&["localhost:0".parse().unwrap()], ListenConfig::default()).await;
    let Address::Socket(bound) = &serving.addresses[0] else {
        panic!("{:?}", serving.addresses)
    };
    let address = Address::Host("localhost".into(), bound.port());
    let mut dialed = in_time(Dialer::new().dial(&address)).await.unwrap();
    assert_eq!(dialed.peer, Some(Address::Socket(*bound)));
    assert!(exchange(&mut *dialed.io, b"echo").await.is_some());
}

#[tokio::test]
async fn a_refused_connect_says_where() {
    // It is bound, and does not listen: nobody else can get the port meanwhile.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = silent.local_addr().unwrap();
    let status = in_time(Dialer::new().dial(&address.into())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.reason(), Some(reason::CONNECT_FAILED));
    assert_eq!(status.place().side(), Some(Side::Network));
    assert!(!status.was_processed() && status.is_retryable());
    assert!(status.message().contains(&address.to_string()), "{status}");
    let source = std::error::Error::source(&status).unwrap();
    let io = source.downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(io.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_service_in_this_process_is_not_dialled() {
    let status = Dialer::new()
        .dial(&"local:shop".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(status.place().side(), Some(Side::Client));
    assert!(status.message().contains("local transport"), "{status}");
}
