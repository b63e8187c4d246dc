//! TLS, with certificates made on the spot.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rpc_core::{
    Code, Status,
    net::{
        Address, Dialed, Dialer, ListenConfig,
        tls::{ClientTls, ServerTls},
    },
    status::reason,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::echo::{Echo, Serving, any_port, exchange, in_time};

struct Certificate {
    chain: String,
    key: String,
}

/// An authority, and certificates that it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Authorities of one name would be taken for each other until a signature fails.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("authority {number}"));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn sign(&self, name: &str) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certificate {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

fn server_tls(certificate: &Certificate) -> ServerTls {
    ServerTls::builder()
        .certificate_pem(&*certificate.chain)
        .key_pem(&*certificate.key)
        .build()
        .unwrap()
}

async fn serve(certificate: &Certificate) -> Serving {
    let mut config = ListenConfig::default();
    config.tls = Some(server_tls(certificate));
    let transports: Vec<Arc<dyn rpc_core::transport::ServerTransport>> =
        vec![Arc::new(Echo("echo")), Arc::new(Echo("other"))];
    Serving::start_with(&[any_port()], config, transports).await
}

fn trusting(authority: &Authority) -> ClientTls {
    ClientTls::builder().trust_pem(authority.pem()).build().unwrap()
}

fn localhost(serving: &Serving) -> Address {
    let Address::Socket(socket) = &serving.addresses[0] else {
        panic!("it listens on a port")
    };
    Address::Host("localhost".into(), socket.port())
}

async fn dial(tls: ClientTls, alpn: &'static [u8], address: &Address) -> Result<Dialed, Status> {
    in_time(Dialer::new().with_tls(tls).with_alpn(alpn).dial(address)).await
}

#[tokio::test]
async fn alpn_decides_who_serves() {
    let authority = Authority::new();
    let serving = serve(&authority.sign("localhost")).await;
    for protocol in ["echo", "other"] {
        let mut dialed = dial(trusting(&authority), protocol.as_bytes(), &localhost(&serving))
            .await
            .unwrap();
        assert!(dialed.secure);
        assert_eq!(dialed.alpn.as_deref(), Some(protocol.as_bytes()));
        // The bytes are not looked at.
        let (hello, back) = exchange(&mut *dialed.io, b"\0\x01\x02").await.unwrap();
        assert!(hello.starts_with(&format!("[{protocol} secure ")), "{hello}");
        assert_eq!(back, b"\0\x01\x02");
    }
}

#[tokio::test]
async fn bounds_may_be_as_long_as_can_be() {
    let authority = Authority::new();
    let serving = serve(&authority.sign("localhost")).await;
    let tls = ClientTls::builder()
        .trust_pem(authority.pem())
        .handshake_timeout(Duration::MAX)
        .build()
        .unwrap();
    let dialer = Dialer::new().with_tls(tls).with_connect_timeout(Duration::MAX);
    let result = in_time(dialer.with_alpn(b"echo").dial(&localhost(&serving))).await;
    assert!(result.is_ok(), "{result:?}");
}

#[tokio::test]
async fn an_address_or_another_name_can_be_expected() {
    let authority = Authority::new();
    let serving = serve(&authority.sign("127.0.0.1")).await;
    assert!(
        dial(trusting(&authority), b"echo", &serving.addresses[0])
            .await
            .is_ok()
    );

    let serving = serve(&authority.sign("shop.internal")).await;
    let tls = ClientTls::builder()
        .trust_pem(authority.pem())
        .server_name("shop.internal")
        .build()
        .unwrap();
    assert!(dial(tls, b"echo", &serving.addresses[0]).await.is_ok());
}

#[tokio::test]
async fn a_server_that_cannot_be_trusted_is_not_called() {
    let authority = Authority::new();
    let serving = serve(&authority.sign("localhost")).await;
    let stranger = dial(trusting(&Authority::new()), b"echo", &localhost(&serving))
        .await
        .unwrap_err();
    assert!(
        stranger
            .message()
            .contains("not signed by an authority that is trusted"),
        "{stranger}"
    );
    let other_name = dial(trusting(&authority), b"echo", &serving.addresses[0])
        .await
        .unwrap_err();
    assert!(
        other_name.message().contains("`server_name` says which one"),
        "{other_name}"
    );
    for status in [stranger, other_name] {
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.reason(), Some(reason::CONNECT_FAILED));
        assert!(!status.was_processed());
        assert!(status.message().contains("TLS"), "{status}");
    }
}

#[tokio::test]
async fn no_protocol_in_common_is_a_failed_connect() {
    let authority = Authority::new();
    let serving = serve(&authority.sign("localhost")).await;
    let status = dial(trusting(&authority), b"h3", &localhost(&serving))
        .await
        .unwrap_err();
    assert!(
        status.message().contains("ALPN") || status.message().contains("ApplicationProtocol"),
        "{status}"
    );
}

#[tokio::test]
async fn a_client_that_offers_no_protocol_is_closed() {
    let authority = Authority::new();
    let serving = serve(&authority.sign("localhost")).await;
    let mut dialed = in_time(
        Dialer::new()
            .with_tls(trusting(&authority))
            .dial(&localhost(&serving)),
    )
    .await
    .unwrap();
    assert_eq!(exchange(&mut *dialed.io, b"echo").await, None);
}

#[tokio::test]
async fn plain_text_and_tls_do_not_meet() {
    let authority = Authority::new();
    let secure = serve(&authority.sign("localhost")).await;
    let mut dialed = Dialer::new().dial(&secure.addresses[0]).await.unwrap();
    let _ = dialed
        .io
        .write_all(b"echo, and more than a TLS record's head")
        .await;
    let mut answer = Vec::new();
    let _ = in_time(dialed.io.read_to_end(&mut answer)).await;
    assert!(!answer.starts_with(b"[echo"), "an alert at most");

    let plain = Serving::start(&[any_port()], ListenConfig::default()).await;
    let status = dial(trusting(&authority), b"echo", &localhost(&plain))
        .await
        .unwrap_err();
    assert!(status.message().contains("TLS failed"), "{status}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tls = ClientTls::builder()
        .trust_pem(Authority::new().pem())
        .handshake_timeout(Duration::from_millis(20))
        .build()
        .unwrap();
    let status = dial(tls, b"echo", &silent.local_addr().unwrap().into())
        .await
        .unwrap_err();
    assert!(status.message().contains("took too long"), "{status}");
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_nobody() {
    let authority = Authority::new();
    let serving = serve(&authority.sign("localhost")).await;
    let mut slow = tokio::net::TcpStream::connect(match &serving.addresses[0] {
        Address::Socket(socket) => *socket,
        other => panic!("{other}"),
    })
    .await
    .unwrap();
    slow.write_all(&[0x16, 0x03]).await.unwrap();
    assert!(
        dial(trusting(&authority), b"echo", &localhost(&serving))
            .await
            .is_ok()
    );
    serving.stop().await;
}

#[tokio::test]
async fn unix_sockets_can_have_tls_too() {
    let authority = Authority::new();
    let certificate = authority.sign("localhost");
    let path = std::env::temp_dir().join(format!("rpc-tls-{}", std::process::id()));
    let address = Address::Unix(path.into());
    let mut config = ListenConfig::default();
    config.tls = Some(server_tls(&certificate));
    let serving = Serving::start(std::slice::from_ref(&address), config).await;
    let mut dialed = dial(trusting(&authority), b"echo", &address).await.unwrap();
    assert!(exchange(&mut *dialed.io, b"echo").await.is_some());
    serving.stop().await;
}

#[test]
fn mistakes_of_a_client_name_their_field() {
    let pem = Authority::new().pem();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let cases = [
        ("trust_pem", ClientTls::builder()),
        ("trust_pem", ClientTls::builder().trust_pem("nonsense")),
        ("trust_pem", ClientTls::builder().trust_pem(&*key)),
        (
            "trust_pem",
            ClientTls::builder().trust_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ),
        (
            "trust_file",
            ClientTls::builder().trust_file("/nonexistent/ca.pem"),
        ),
        (
            "certificate_pem",
            ClientTls::builder().trust_pem(&*pem).certificate_pem(&*pem),
        ),
        ("key_pem", ClientTls::builder().trust_pem(&*pem).key_pem(&*key)),
        (
            "key_file",
            ClientTls::builder()
                .trust_pem(&*pem)
                .certificate_pem(&*pem)
                .key_file("/nonexistent/key.pem"),
        ),
        (
            "server_name",
            ClientTls::builder().trust_pem(&*pem).server_name("not a name"),
        ),
        (
            "handshake_timeout",
            ClientTls::builder()
                .trust_pem(&*pem)
                .handshake_timeout(Duration::ZERO),
        ),
    ];
    for (field, builder) in cases {
        assert_eq!(builder.build().unwrap_err().field(), field);
    }
}

#[test]
fn mistakes_of_a_server_name_their_field() {
    let authority = Authority::new();
    let (one, two) = (authority.sign("localhost"), authority.sign("localhost"));
    let with = |certificate: &str, key: &str| ServerTls::builder().certificate_pem(certificate).key_pem(key);
    let cases = [
        ("certificate_pem", ServerTls::builder().key_pem(&*one.key)),
        ("certificate_pem", with("nonsense", &one.key)),
        ("certificate_pem", with(&one.key, &one.key)),
        (
            "certificate_file",
            ServerTls::builder()
                .certificate_file("/nonexistent")
                .key_pem(&*one.key),
        ),
        ("key_pem", ServerTls::builder().certificate_pem(&*one.chain)),
        ("key_pem", with(&one.chain, "nonsense")),
        ("key_pem", with(&one.chain, &two.key)),
        (
            "key_file",
            ServerTls::builder()
                .certificate_pem(&*one.chain)
                .key_file("/nonexistent"),
        ),
    ];
    for (index, (field, builder)) in cases.into_iter().enumerate() {
        let error = builder.build().unwrap_err();
        assert_eq!(error.field(), field, "case {index}: {error}");
    }
    let error = with(&one.chain, &two.key).build().unwrap_err();
    assert!(error.to_string().contains("does not belong"), "{error}");
}

#[test]
fn pem_is_read_from_files() {
    let certificate = Authority::new().sign("localhost");
    let folder = std::env::temp_dir();
    let (chain, key) = (
        folder.join(format!("rpc-{}.crt", std::process::id())),
        folder.join(format!("rpc-{}.key", std::process::id())),
    );
    std::fs::write(&chain, &certificate.chain).unwrap();
    std::fs::write(&key, &certificate.key).unwrap();
    let built = ServerTls::builder()
        .certificate_file(&chain)
        .key_file(&key)
        .build();
    let trusted = ClientTls::builder().trust_file(&chain).build();
    std::fs::remove_file(&chain).unwrap();
    std::fs::remove_file(&key).unwrap();
    built.unwrap();
    trusted.unwrap();
}
