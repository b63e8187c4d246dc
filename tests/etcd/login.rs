//! Users, and TLS.

use rpc::net::tls::ClientTls;
use rpc_etcd::{Etcd, EtcdConfig, Meaning, meaning};

use super::{
    node::{Node, in_time},
    users::enable,
};

fn etcd(node: &Node, user: &str, password: &str) -> Etcd {
    Etcd::new(EtcdConfig::new([node.address()]).with_user(user, password)).unwrap()
}

#[tokio::test]
async fn who_logs_in_may_what_the_user_may() {
    let mut node = Node::start().await;
    // Nobody has to, and somebody does.
    let early = etcd(&node, "shop", "shop-secret");
    early.put("/shop/early", "1", None).await.unwrap();
    let list = early.list("/shop/").await.unwrap();
    enable(&node).await;
    let mut watch = early.watch("/shop/", list.position).await.unwrap();
    early.put("/shop/late", "1", None).await.unwrap();
    assert_eq!(in_time(watch.next()).await.unwrap().changes.len(), 1);

    let shop = etcd(&node, "shop", "shop-secret");
    shop.put("/shop/a", "1", None).await.unwrap();
    let list = shop.list("/shop/").await.unwrap();
    let mut watch = shop.watch("/shop/", list.position).await.unwrap();
    let lease = shop.grant(std::time::Duration::from_mins(1)).await.unwrap();
    shop.put("/shop/b", "2", Some(lease.id)).await.unwrap();
    assert_eq!(in_time(watch.next()).await.unwrap().changes.len(), 1);

    for denied in [
        shop.put("/other", "1", None).await.unwrap_err(),
        shop.watch("/other", list.position).await.unwrap_err(),
        etcd(&node, "shop", "wrong").get("/shop/a").await.unwrap_err(),
        etcd(&node, "nobody", "x").get("/shop/a").await.unwrap_err(),
        node.etcd().get("/shop/a").await.unwrap_err(),
    ] {
        assert_eq!(meaning(&denied), Meaning::Denied, "{denied}");
        assert!(!denied.to_string().contains("shop-secret"), "{denied}");
    }

    // Tokens do not outlive the process that gave them: the next call, or watch, logs in again.
    node.restart().await;
    shop.put("/shop/c", "1", None).await.unwrap();
    node.restart().await;
    let position = early.list("/shop/").await.unwrap().position;
    let watch = shop.watch("/shop/", position).await.unwrap();
    assert_eq!(watch.position(), position);
}

#[tokio::test]
async fn tls() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("rpc-etcd-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let more = [
        format!("--cert-file={}", certificate.display()),
        format!("--key-file={}", key.display()),
    ];
    let tls = ClientTls::builder().trust_file(&certificate).build().unwrap();
    let config = |address| EtcdConfig::new([address]).with_tls(tls.clone());
    let (node, etcd) = Node::start_with("https", &more, config).await;
    etcd.put("/a", "1", None).await.unwrap();
    assert_eq!(etcd.get("/a").await.unwrap().unwrap().value, "1");

    // Neither without TLS nor with another authority.
    assert!(node.etcd().get("/a").await.is_err());
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let tls = ClientTls::builder().trust_pem(other.cert.pem()).build().unwrap();
    let stranger = Etcd::new(EtcdConfig::new([node.address()]).with_tls(tls)).unwrap();
    assert!(stranger.get("/a").await.is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A member that wants to see certificates of its clients.
#[tokio::test]
async fn tls_with_a_certificate_of_the_client() {
    let server = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let client = rcgen::generate_simple_self_signed(["shop".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("rpc-etcd-mtls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let more = [
        format!("--cert-file={}", file("cert.pem", server.cert.pem())),
        format!(
            "--key-file={}",
            file("key.pem", server.signing_key.serialize_pem())
        ),
        format!("--trusted-ca-file={}", file("ca.pem", client.cert.pem())),
        "--client-cert-auth".to_owned(),
    ];
    let tls = || ClientTls::builder().trust_pem(server.cert.pem());
    let known = tls()
        .certificate_pem(client.cert.pem())
        .key_pem(client.signing_key.serialize_pem())
        .build()
        .unwrap();
    let config = |address| EtcdConfig::new([address]).with_tls(known.clone());
    let (node, _etcd) = Node::start_with("https", &more, config).await;
    let stranger = EtcdConfig::new([node.address()]).with_tls(tls().build().unwrap());
    assert!(Etcd::new(stranger).unwrap().get("/a").await.is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
