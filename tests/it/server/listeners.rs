//! What is listened on, and what arrives there that is no call.

use std::time::Duration;

use rpc::{Client, net::Address};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{Gate, GateClient, Running, in_time, quiet, target};

async fn answer_to(running: &Running, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(running.addresses[0].to_string())
        .await
        .unwrap();
    // It may be closed while we write, and while we read.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    answer
}

#[tokio::test]
async fn several_addresses_are_one_server() {
    let gate = Gate::new();
    let bound = quiet(&gate)
        .build()
        .unwrap()
        .bind(["127.0.0.1:0", "127.0.0.1:0"])
        .await
        .unwrap();
    assert_ne!(bound.local_addresses()[0], bound.local_addresses()[1]);
    let running = Running::serve(bound);
    for address in &running.addresses {
        let client = Client::builder().target(target(address)).build().unwrap();
        assert_eq!(GateClient(client.into()).echo(1).await.unwrap(), 1);
    }
    running.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_beside_a_port() {
    let gate = Gate::new();
    let path = std::env::temp_dir().join(format!("rpc-server-{}.sock", std::process::id()));
    let unix = Address::Unix(path.as_path().into());
    let bound = quiet(&gate)
        .build()
        .unwrap()
        .bind(vec!["127.0.0.1:0".parse().unwrap(), unix])
        .await
        .unwrap();
    let running = Running::serve(bound);
    for address in &running.addresses {
        let client = Client::builder().target(target(address)).build().unwrap();
        assert_eq!(GateClient(client.into()).echo(1).await.unwrap(), 1);
    }
    assert!(path.exists());
    running.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn garbage_is_closed_and_the_next_is_served() {
    let running = Running::start(quiet(&Gate::new())).await;
    for bytes in [
        &[0_u8; 64][..],
        &vec![0xff; 100_000],
        b"\r\n\r\n",
        b"SSH-2.0-x\r\n",
        &[0x16, 3, 1, 0, 9, 1, 0, 0, 5],
    ] {
        assert_eq!(answer_to(&running, bytes).await, b"", "{bytes:.8?}");
    }
    // HTTP/2's preface and then nonsense: the transport's to refuse.
    let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    preface.extend([0xff; 64]);
    answer_to(&running, &preface).await;
    assert_eq!(running.client().echo(1).await.unwrap(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_browser_is_told_what_is_spoken_here() {
    let running = Running::start(quiet(&Gate::new())).await;
    let answer = answer_to(&running, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(answer.contains("gRPC"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn connections_above_the_limit_are_closed() {
    let running = Running::start(quiet(&Gate::new()).max_connections(1)).await;
    let first = running.client();
    first.echo(1).await.unwrap();
    assert_eq!(answer_to(&running, b"").await, b"");
    assert_eq!(first.echo(2).await.unwrap(), 2);
    running.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let running = Running::start(quiet(&Gate::new()).handshake_timeout(Duration::from_millis(20))).await;
    assert_eq!(answer_to(&running, b"").await, b"");
    assert_eq!(answer_to(&running, b"PRI * H").await, b"");
    running.stop().await;
}

#[cfg(feature = "tls")]
mod tls {
    use rpc::net::tls::{ClientTls, ServerTls};

    use super::{Client, Gate, GateClient, Running, answer_to, quiet, target};

    #[tokio::test]
    async fn calls_go_over_tls_and_plain_text_is_refused() {
        let certificate = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let tls = ServerTls::builder()
            .certificate_pem(certificate.cert.pem())
            .key_pem(certificate.signing_key.serialize_pem())
            .build()
            .unwrap();
        let running = Running::start(quiet(&Gate::new()).tls(tls)).await;
        let trust = ClientTls::builder()
            .trust_pem(certificate.cert.pem())
            .build()
            .unwrap();
        let client = Client::builder()
            .target(target(&running.addresses[0]))
            .tls(trust)
            .build()
            .unwrap();
        let client = GateClient(client.into());
        assert_eq!(client.echo(1).await.unwrap(), 1);
        assert!(running.client().echo(1).await.is_err());
        assert!(
            !answer_to(&running, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                .await
                .starts_with(b"HTTP")
        );
        assert_eq!(client.echo(2).await.unwrap(), 2);
        running.stop().await;
    }
}
