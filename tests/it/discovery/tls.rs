//! What records say of TLS.

use rpc::{
    LocalServers,
    net::tls::{ClientTls, ServerTls},
    prelude::*,
    registry::Registry as _,
};

use super::support::{Running, server, tally, until, until_ready};

/// A certificate for this host, and who trusts it.
fn certified() -> (ServerTls, ClientTls) {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let server = ServerTls::builder()
        .certificate_pem(certified.cert.pem())
        .key_pem(certified.signing_key.serialize_pem());
    let client = ClientTls::builder().trust_pem(certified.cert.pem());
    (server.build().unwrap(), client.build().unwrap())
}

#[tokio::test]
async fn a_server_with_tls_is_announced_as_such_and_called_by_clients_with_tls() {
    let (identity, trust) = certified();
    for (builder, listed) in [
        (server("a"), vec!["grpcs", "framed"]),
        (server("a").without_framed(), vec!["grpcs"]),
    ] {
        let (memory, local) = (MemoryRegistry::new(), LocalServers::new());
        let builder = builder.tls(identity.clone()).local_servers(&local);
        let running = Running::start(builder.register(memory.clone(), "who")).await;
        until(|| !memory.instances("who").is_empty()).await;
        let instance = memory.instances("who").remove(0);
        let spoken: Vec<_> = instance
            .addresses
            .iter()
            .map(|at| at.protocol.as_deref().unwrap())
            .collect();
        assert_eq!(spoken, listed);

        let client = || Client::builder().registry(memory.clone()).target("memory:///who");
        let trusting = || client().tls(trust.clone());
        for client in [
            trusting(),
            trusting().prefer_framed(true),
            trusting().prefer_framed(false),
        ] {
            let client = client.build().unwrap();
            until_ready(&client, 1).await;
            tally(&client, 1).await;
        }
        let without = client().build().unwrap();
        let status = without.ready().await.unwrap_err();
        assert_eq!(status.reason(), Some("NO_ENDPOINT"));
        assert!(
            status
                .message()
                .contains("1 over TLS, which this client does not"),
            "{status}"
        );
        // Nothing is encrypted within a process.
        let neighbour = client().local_servers(&local).build().unwrap();
        until_ready(&neighbour, 1).await;
        tally(&neighbour, 1).await;
        running.stop().await;
    }
}

/// Servers of other frameworks may listen twice, and list both.
#[tokio::test]
async fn with_tls_and_without_each_calls_its_own_address() {
    let (identity, trust) = certified();
    let memory = MemoryRegistry::new();
    let elsewhere = |name| server(name).register(MemoryRegistry::new(), "who");
    let plain = Running::start(elsewhere("plain")).await;
    let secure = Running::start(elsewhere("secure").tls(identity)).await;
    let both = Instance::new("both")
        .with_address("grpc", plain.address.clone())
        .with_address("grpcs", secure.address.clone());
    let _record = memory.announce("who", &both).await.unwrap();
    let client = || Client::builder().registry(memory.clone()).target("memory:///who");
    for (client, name) in [(client(), "plain"), (client().tls(trust), "secure")] {
        let client = client.build().unwrap();
        until_ready(&client, 1).await;
        assert_eq!(tally(&client, 1).await, [(name.to_owned(), 1)].into());
    }
    plain.stop().await;
    secure.stop().await;
}
