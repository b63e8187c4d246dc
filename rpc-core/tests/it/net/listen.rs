use std::{sync::Arc, time::Duration};

use rpc_core::{
    BoxFuture,
    net::{Address, Dialer, ListenConfig, Listener},
    server::Dispatch,
    transport::{Accepted, Drain, Recognition, ServerTransport},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::echo::{Echo, Serving, any_port, exchange, in_time};

#[tokio::test]
async fn bytes_that_were_looked_at_come_again() {
    let serving = Serving::start(&[any_port()], ListenConfig::default()).await;
    let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
    // One at a time, so that it has to look several times.
    for byte in b"ech" {
        dialed.io.write_all(&[*byte]).await.unwrap();
        dialed.io.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let (_, back) = exchange(&mut *dialed.io, b"o!").await.unwrap();
    assert_eq!(back, b"ec");
    let mut rest = [0; 3];
    in_time(dialed.io.read_exact(&mut rest)).await.unwrap();
    assert_eq!(&rest, b"ho!");
}

#[tokio::test]
async fn more_than_is_looked_at_comes_whole() {
    let serving = Serving::start(&[any_port()], ListenConfig::default()).await;
    let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
    let mut long = b"echo".to_vec();
    long.extend((0..=255).cycle().take(100_000));
    let (mut read, mut write) = tokio::io::split(dialed.io);
    let sent = long.clone();
    let sending = tokio::spawn(async move { write.write_all(&sent).await.map(|()| write) });
    let back = in_time(async {
        while read.read_u8().await.unwrap() != b']' {}
        let mut back = vec![0; long.len()];
        read.read_exact(&mut back).await.unwrap();
        back
    })
    .await;
    assert!(back == long);
    sending.await.unwrap().unwrap();
    dialed.peer.take();
}

#[tokio::test]
async fn the_first_transport_that_knows_it_serves() {
    let transports: Vec<Arc<dyn ServerTransport>> = vec![
        Arc::new(Echo("echo-long")),
        Arc::new(Echo("echo")),
        Arc::new(Echo("other")),
    ];
    let serving = Serving::start_with(&[any_port()], ListenConfig::default(), transports).await;
    for (bytes, served) in [
        ("echo-long", "[echo-long "),
        ("echo-short", "[echo "),
        ("other", "[other "),
    ] {
        let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
        let (hello, _) = exchange(&mut *dialed.io, bytes.as_bytes()).await.unwrap();
        assert!(hello.starts_with(served), "{bytes}: {hello}");
    }
}

#[tokio::test]
async fn what_nobody_knows_is_closed() {
    let serving = Serving::start(&[any_port()], ListenConfig::default()).await;
    let tls: &[u8] = &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01];
    for bytes in [&[0; 24][..], b"x", b"echX", tls, &vec![0xff; 100_000]] {
        let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
        // It may be closed while we write.
        let _ = dialed.io.write_all(bytes).await;
        let mut rest = Vec::new();
        let _ = in_time(dialed.io.read_to_end(&mut rest)).await;
        assert!(rest.is_empty());
    }
    // And the next one is served.
    let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
    assert!(exchange(&mut *dialed.io, b"echo").await.is_some());
}

#[tokio::test]
async fn the_end_before_it_is_clear_what_is_spoken_closes() {
    let serving = Serving::start(&[any_port()], ListenConfig::default()).await;
    for bytes in [&b""[..], b"ech"] {
        let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
        dialed.io.write_all(bytes).await.unwrap();
        dialed.io.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _ = in_time(dialed.io.read_to_end(&mut rest)).await;
        assert!(rest.is_empty());
    }
}

/// On a host without IPv6 there is nothing to tell apart.
#[tokio::test]
async fn all_addresses_of_both_families_can_be_listened_on() {
    for (first, second) in [("0.0.0.0", "[::]"), ("[::]", "0.0.0.0")] {
        let Ok(free) = std::net::TcpListener::bind("[::]:0") else {
            continue;
        };
        let port = free.local_addr().unwrap().port();
        drop(free);
        let at = |ip: &str| format!("{ip}:{port}").parse::<Address>().unwrap();
        let serving = Serving::start(&[at(first), at(second)], ListenConfig::default()).await;
        for ip in ["127.0.0.1", "[::1]"] {
            let mut dialed = Dialer::new().dial(&at(ip)).await.unwrap();
            assert!(exchange(&mut *dialed.io, b"echo").await.is_some());
        }
        serving.stop().await;
    }
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_closed_after_the_timeout() {
    let mut config = ListenConfig::default();
    config.handshake_timeout = Duration::from_millis(20);
    let serving = Serving::start(&[any_port()], config).await;
    let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
    assert_eq!(in_time(dialed.io.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_and_places_come_free() {
    let mut config = ListenConfig::default();
    config.max_connections = 1;
    let serving = Serving::start(&[any_port(), any_port()], config).await;
    let mut first = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
    assert!(exchange(&mut *first.io, b"echo").await.is_some());
    // The limit is over all addresses.
    for address in &serving.addresses {
        let mut second = Dialer::new().dial(address).await.unwrap();
        assert!(exchange(&mut *second.io, b"echo").await.is_none());
    }
    drop(first);
    in_time(async {
        loop {
            let mut third = Dialer::new().dial(&serving.addresses[1]).await.unwrap();
            if exchange(&mut *third.io, b"echo").await.is_some() {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_stop_closes_the_sockets_and_half_open_connections() {
    let serving = Serving::start(&[any_port(), any_port()], ListenConfig::default()).await;
    let addresses = serving.addresses.clone();
    let mut half_open = Dialer::new().dial(&addresses[0]).await.unwrap();
    half_open.io.write_all(b"ec").await.unwrap();
    let mut open = Dialer::new().dial(&addresses[1]).await.unwrap();
    assert!(exchange(&mut *open.io, b"echo").await.is_some());
    serving.stop().await;
    let mut rest = Vec::new();
    let _ = in_time(half_open.io.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    for address in &addresses {
        assert!(in_time(Dialer::new().dial(address)).await.is_err());
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let serving = Serving::start(&[any_port()], ListenConfig::default()).await;
    let error = Listener::bind(&serving.addresses, ListenConfig::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(error.address(), Some(&serving.addresses[0]));
    assert!(
        error.to_string().contains(&serving.addresses[0].to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn no_address_is_a_mistake() {
    let error = Listener::bind(&[], ListenConfig::default()).await.unwrap_err();
    assert_eq!(error.address(), None);
    let error = Listener::bind(&["local:shop".parse().unwrap()], ListenConfig::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("local:shop"), "{error}");
}

/// Answers without reading what was sent, and is done.
struct Hasty;

impl ServerTransport for Hasty {
    fn protocol(&self) -> &'static str {
        "hasty"
    }

    fn alpn(&self) -> &'static [u8] {
        b"hasty"
    }

    fn recognises(&self, prefix: &[u8]) -> Recognition {
        if prefix.starts_with(b"h") {
            Recognition::Yes
        } else {
            Recognition::No
        }
    }

    fn serve(&self, mut connection: Accepted, _: Dispatch, _: Drain) -> BoxFuture<'static, ()> {
        Box::pin(async move { connection.io.write_all(&vec![7; 10_000]).await.unwrap() })
    }
}

#[tokio::test]
async fn what_is_written_last_arrives_though_the_peer_still_sends() {
    let transports: Vec<Arc<dyn ServerTransport>> = vec![Arc::new(Hasty)];
    let serving = Serving::start_with(&[any_port()], ListenConfig::default(), transports).await;
    for _ in 0..10 {
        let mut dialed = Dialer::new().dial(&serving.addresses[0]).await.unwrap();
        dialed.io.write_all(&vec![b'h'; 50_000]).await.unwrap();
        let mut answer = Vec::new();
        in_time(dialed.io.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer.len(), 10_000);
    }
    serving.stop().await;
}
