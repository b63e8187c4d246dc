//! One etcd, which can be killed, stopped, started again and emptied.

use std::{
    env, fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rpc::net::Address;
use rpc_etcd::{Etcd, EtcdConfig};
use tokio::time::{Instant, sleep};

/// Far above what anything here needs on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);

pub(crate) struct Node {
    folder: PathBuf,
    port: u16,
    peer_port: u16,
    scheme: &'static str,
    more: Vec<String>,
    process: Option<Child>,
}

impl Node {
    /// Starts one, and waits until it answers.
    pub(crate) async fn start() -> Self {
        let mut node = Self::new("http", &[]);
        node.begin();
        node.up().await;
        node
    }

    /// Without starting it.
    pub(crate) fn new(scheme: &'static str, more: &[String]) -> Self {
        let port = free_port();
        let folder = env::temp_dir().join(format!("rpc-etcd-{}-{port}", std::process::id()));
        Self {
            folder,
            port,
            peer_port: free_port(),
            scheme,
            more: more.to_vec(),
            process: None,
        }
    }

    pub(crate) fn begin(&mut self) {
        let program = env::var_os("RPC_TEST_ETCD")
            .expect("`RPC_TEST_ETCD` is the path of `etcd`; `cargo xtask test --only etcd` sets it");
        let client = format!("{}://127.0.0.1:{}", self.scheme, self.port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(&self.folder);
        command.args(["--name", "a", "--initial-cluster", &format!("a={peer}")]);
        command.args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ]);
        command.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        command.args(["--log-level", "error"]).args(&self.more);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(command.spawn().expect("etcd starts"));
    }

    /// As a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again with the data that it had, and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        self.begin();
        self.up().await;
    }

    /// Waits until it answers. One that has ended, because somebody has taken its port meanwhile, is started again.
    async fn up(&mut self) {
        let etcd = self.etcd();
        let deadline = Instant::now() + LONG;
        while let Err(status) = etcd.get("is anybody there?").await {
            assert!(Instant::now() < deadline, "etcd does not answer: {status}");
            let process = self.process.as_mut().expect("it was started");
            if process.try_wait().expect("it can be asked for").is_some() {
                self.begin();
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts it again with nothing, on the same ports, and waits until it answers.
    pub(crate) async fn wipe(&mut self) {
        self.kill();
        fs::remove_dir_all(&self.folder).expect("the data can be removed");
        self.restart().await;
    }

    /// It is there, and does nothing.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.process.as_ref().expect("it runs").id();
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status();
        assert!(status.expect("there is a shell").success());
    }

    pub(crate) fn address(&self) -> Address {
        format!("127.0.0.1:{}", self.port).parse().expect("an address")
    }

    /// `etcd://127.0.0.1:2379/NAME`.
    pub(crate) fn target(&self, name: &str) -> String {
        format!("etcd://{}/{name}", self.address())
    }

    pub(crate) fn etcd(&self) -> Etcd {
        Etcd::new(EtcdConfig::new([self.address()])).expect("the settings are sound")
    }

    pub(crate) async fn answers(&self, etcd: &Etcd) {
        let deadline = Instant::now() + LONG;
        while let Err(status) = etcd.get("is anybody there?").await {
            assert!(Instant::now() < deadline, "etcd does not answer: {status}");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until something is the case. `what` says what, if it never is.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    let deadline = Instant::now() + LONG;
    while !is().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A port that nobody listens on now; below those that systems give to outgoing connections, of which there are many here.
fn free_port() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| fastrand::u16(15_000..32_000))
        .find(is_free)
        .expect("loopback has free ports")
}

/// An address that refuses connections.
pub(crate) fn nobody() -> Address {
    format!("127.0.0.1:{}", free_port()).parse().expect("an address")
}
