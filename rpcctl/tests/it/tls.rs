//! TLS, and what is said of it and of users on the command line. etcd itself is in `tests/etcd`.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use rpc::{net::tls::ServerTls, server::HealthReporter};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[cfg(unix)]
use super::terminate;
use super::{Services, Serving, printed, rpcctl, server};

/// Fails a test that would wait for ever.
async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future)
        .await
        .expect("in time")
}

/// What went wrong, as it is told.
fn told(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    )
}

/// A server with a certificate for `localhost`, and the file that says whom to trust.
async fn over_tls(services: &Services) -> (Serving, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = ServerTls::builder()
        .certificate_pem(certified.cert.pem())
        .key_pem(certified.signing_key.serialize_pem())
        .build()
        .expect("a certificate");
    let serving = Serving::start(server(&HealthReporter::new()).tls(tls)).await;
    (serving, services.file("ca.pem", &certified.cert.pem()))
}

#[tokio::test]
async fn health_is_asked_over_tls() {
    let services = Services::new();
    let (serving, ca) = over_tls(&services).await;
    let health = ["health", &serving.address, "--timeout-ms", "60000"];
    let trusted = ["--tls-ca", &ca, "--tls-server-name", "localhost"];
    let output = rpcctl(&[&health[..], &trusted].concat()).await;
    assert_eq!(printed(&output), (Some(0), "SERVING".to_owned()));
    // The address is not in the certificate.
    let (code, problem) = told(&rpcctl(&[&health[..], &trusted[..2]].concat()).await);
    assert_eq!(code, Some(2), "{problem}");
    // Nor is TLS spoken unless it is asked for.
    let (code, problem) = told(&rpcctl(&health).await);
    assert_eq!(code, Some(2), "{problem}");
    assert!(problem.contains("`--tls-ca FILE`"), "{problem}");
    serving.stop().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_service_that_speaks_tls_is_registered() {
    let services = Services::new();
    let (serving, ca) = over_tls(&services).await;
    let address = &serving.address;
    let more = ["--address", address, "--health", address];
    let mut mute = services.register_telling(Stdio::piped(), &more);
    let stderr = BufReader::new(mute.stderr.take().expect("it is piped"));
    let problem = within(stderr.lines().next_line()).await.expect("it can be read");
    assert!(problem.is_some_and(|problem| problem.contains("`--tls-ca FILE`")));
    drop(mute);

    let trusted = ["--tls-ca", &ca, "--tls-server-name", "localhost"];
    let child = services.register(&[&more[..], &trusted].concat());
    services.until(true, r#""state":"up""#).await;
    assert_eq!(terminate(child).await, Some(0));
    serving.stop().await;
}

#[tokio::test]
async fn wrong_files_and_options_are_named() {
    let services = Services::new();
    let file = services.target();
    let empty = services.file("empty.pem", "");
    let (health, etcd) = (
        ["health", "127.0.0.1:1"],
        ["instances", "etcd://127.0.0.1:1/shop"],
    );
    let cases: [(&[&str], &[&str], &[&str]); 10] = [
        (
            &health,
            &["--tls-ca", "/no/ca.pem"],
            &["`--tls-ca /no/ca.pem`", "cannot read"],
        ),
        (
            &health,
            &["--tls-ca", &empty],
            &["`--tls-ca", "empty.pem`", "no certificate"],
        ),
        (
            &health,
            &["--tls-server-name", "a"],
            &["`--tls-ca`", "nothing is trusted"],
        ),
        (
            &health,
            &["--etcd-user", "shop"],
            &["`--etcd-user`", "`static://127.0.0.1:1`"],
        ),
        (
            &["instances", &file],
            &["--etcd-ca", &empty],
            &["`--etcd-ca`", "no meaning"],
        ),
        (
            &["drain", &file, "a"],
            &["--etcd-key", &empty],
            &["`--etcd-key`", "no meaning"],
        ),
        (&etcd, &["--etcd-ca", "/no/ca.pem"], &["`--etcd-ca /no/ca.pem`"]),
        (
            &etcd,
            &["--etcd-user", "shop"],
            &["`--etcd-user shop`", "`RPCCTL_ETCD_PASSWORD`"],
        ),
        (
            &etcd,
            &["--etcd-password-file", &empty],
            &["`--etcd-password-file`", "`--etcd-user`"],
        ),
        (
            &etcd,
            &["--etcd-user", "shop", "--etcd-password-file", "/no/word"],
            &["`--etcd-password-file /no/word`"],
        ),
    ];
    for (command, options, expected) in cases {
        let (code, problem) = told(&rpcctl(&[command, options].concat()).await);
        assert_eq!(code, Some(1), "{problem}");
        for expected in expected {
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
