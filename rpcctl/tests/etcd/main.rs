//! The program itself against a real etcd that wants to know who asks. `cargo xtask test --only etcd` runs this.

#[path = "../../../tests/etcd/node.rs"]
#[expect(dead_code, reason = "etcd is not mistreated here")]
mod node;
#[path = "../../../tests/etcd/users.rs"]
mod users;

use std::{fs, path::PathBuf, process::Output};

use rpc::net::tls::ClientTls;
use rpc_etcd::EtcdConfig;
use tokio::process::Command;

use self::node::{Node, in_time, until};

/// A program that ends with the test.
fn rpcctl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpcctl"));
    command.args(arguments).kill_on_drop(true);
    command
}

async fn ended(mut command: Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = in_time(command.output()).await.expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text").trim().to_owned();
    (status.code(), text(stdout), text(stderr))
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rpcctl-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_user_logs_in() {
    let node = Node::start().await;
    users::enable(&node).await;
    let folder = Folder::new("user");
    let password = folder.file("password", "shop-secret\n");
    let target = format!("{}?ns=/shop", node.target("inventory"));
    let user = ["--etcd-user", "shop", "--etcd-password-file", &password];
    let list = [&["instances", &target, "--json"][..], &user].concat();

    let register = [
        "register",
        &target,
        "--address",
        "10.0.0.1:50051",
        "--id",
        "shop-1",
    ];
    let _registered = rpcctl(&[&register[..], &user].concat()).spawn().unwrap();
    until("it is listed", || async {
        ended(rpcctl(&list)).await.1.contains(r#""state":"up""#)
    })
    .await;
    let (code, said, problem) = ended(rpcctl(&[&["drain", &target, "shop-1"][..], &user].concat())).await;
    assert_eq!((code, &*said), (Some(0), "shop-1 is draining"), "{problem}");
    let mut by_environment = rpcctl(&["instances", &target, "--etcd-user", "shop"]);
    by_environment.env("RPCCTL_ETCD_PASSWORD", "shop-secret");
    let (code, said, problem) = ended(by_environment).await;
    assert_eq!(code, Some(0), "{problem}");
    assert!(said.contains("draining"), "{said}");

    let (code, _, problem) = ended(rpcctl(&["instances", &target])).await;
    assert_eq!(code, Some(2), "{problem}");
    assert!(problem.contains("`--etcd-user NAME`"), "{problem}");
    let mut wrong = rpcctl(&["drain", &target, "shop-1", "--etcd-user", "shop"]);
    wrong.env("RPCCTL_ETCD_PASSWORD", "guessed");
    let (code, _, problem) = ended(wrong).await;
    assert_eq!(code, Some(3), "{problem}");
}

#[tokio::test]
async fn tls_is_spoken_and_a_certificate_shown() {
    let server = rcgen::generate_simple_self_signed(["etcd.internal".to_owned()]).unwrap();
    let client = rcgen::generate_simple_self_signed(["shop".to_owned()]).unwrap();
    let folder = Folder::new("tls");
    let ca = folder.file("server.pem", &server.cert.pem());
    let certificate = folder.file("client.pem", &client.cert.pem());
    let key = folder.file("client.key", &client.signing_key.serialize_pem());
    let more = [
        format!("--cert-file={ca}"),
        format!(
            "--key-file={}",
            folder.file("server.key", &server.signing_key.serialize_pem())
        ),
        format!("--trusted-ca-file={certificate}"),
        "--client-cert-auth".to_owned(),
    ];
    let tls = ClientTls::builder()
        .trust_file(&ca)
        .server_name("etcd.internal")
        .certificate_file(&certificate)
        .key_file(&key)
        .build()
        .unwrap();
    let config = |address| EtcdConfig::new([address]).with_tls(tls.clone());
    let (node, _etcd) = Node::start_with("https", &more, config).await;
    let target = node.target("inventory");
    let list = ["instances", &target, "--json"];
    let trusted = ["--etcd-ca", &ca, "--etcd-server-name", "etcd.internal"];
    let shown = ["--etcd-cert", &certificate, "--etcd-key", &key];
    let (code, said, problem) = ended(rpcctl(&[&list[..], &trusted, &shown].concat())).await;
    assert_eq!((code, &*said), (Some(0), "[]"), "{problem}");

    assert_eq!(ended(rpcctl(&[&list[..], &trusted].concat())).await.0, Some(2));
    let (code, _, problem) = ended(rpcctl(&list)).await;
    assert_eq!(code, Some(2), "{problem}");
    assert!(problem.contains("`--etcd-ca FILE`"), "{problem}");
}
