//! One etcd, which can be killed, stopped, started again and emptied.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rpc::net::Address;
use rpc_etcd::{Etcd, EtcdConfig, Meaning, meaning};
use tokio::time::{Instant, sleep, timeout};

/// Far above what anything here needs on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);
/// How often etcd is started in vain.
const ATTEMPTS: u32 = 5;

pub(crate) struct Node {
    folder: PathBuf,
    port: Port,
    peer_port: Port,
    scheme: &'static str,
    more: Vec<String>,
    process: Option<Child>,
}

impl Node {
    /// Starts one, and waits until it answers.
    pub(crate) async fn start() -> Self {
        Self::start_with("http", &[], |address| EtcdConfig::new([address]))
            .await
            .0
    }

    /// The same with settings of its own, and a client that answers to them.
    pub(crate) async fn start_with(
        scheme: &'static str,
        more: &[String],
        config: impl Fn(Address) -> EtcdConfig,
    ) -> (Self, Etcd) {
        for _ in 0..ATTEMPTS {
            let port = Port::free();
            let folder = env::temp_dir().join(format!("rpc-etcd-{}-{}", std::process::id(), port.number));
            let mut node = Self {
                folder,
                port,
                peer_port: Port::free(),
                scheme,
                more: more.to_vec(),
                process: None,
            };
            let etcd = Etcd::new(config(node.address())).expect("the settings are sound");
            node.begin();
            if node.up(&etcd).await {
                return (node, etcd);
            }
        }
        panic!("etcd ended {ATTEMPTS} times instead of starting")
    }

    fn begin(&mut self) {
        let program = env::var_os("RPC_TEST_ETCD")
            .expect("`RPC_TEST_ETCD` is the path of `etcd`; `cargo xtask test --only etcd` sets it");
        let client = format!("{}://127.0.0.1:{}", self.scheme, self.port.number);
        let peer = format!("http://127.0.0.1:{}", self.peer_port.number);
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
        let etcd = self.etcd();
        for _ in 0..ATTEMPTS {
            self.kill();
            self.begin();
            if self.up(&etcd).await {
                return;
            }
        }
        panic!("etcd ended {ATTEMPTS} times instead of starting again")
    }

    /// Waits until it answers, which is true, or has ended, because somebody outside has its port.
    async fn up(&mut self, etcd: &Etcd) -> bool {
        let deadline = Instant::now() + LONG;
        // One that wants to know who asks is there as well.
        while let Err(status) = etcd.get("is anybody there?").await
            && meaning(&status) == Meaning::Transient
        {
            assert!(Instant::now() < deadline, "etcd does not answer: {status}");
            let process = self.process.as_mut().expect("it was begun");
            if process.try_wait().expect("it can be asked for").is_some() {
                return false;
            }
            sleep(Duration::from_millis(20)).await;
        }
        true
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
        self.port.address()
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

/// Fails a test that would wait for ever.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(LONG, future).await.expect("the test hangs")
}

/// Waits until something is the case. `what` says what, if it never is.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    let deadline = Instant::now() + LONG;
    while !is().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A port that nobody listens on and that no other test is given while this is kept, in whatever process it runs: whoever
/// holds the UDP port of a number may use the TCP port of that number. Without that, a test could talk to the etcd of another
/// one, or to an etcd where nobody should be.
pub(crate) struct Port {
    number: u16,
    _held: UdpSocket,
}

impl Port {
    pub(crate) fn free() -> Self {
        // Below those that systems give to outgoing connections, of which there are many here.
        let mut numbers = std::iter::repeat_with(|| fastrand::u16(15_000..32_000)).take(10_000);
        numbers
            .find_map(|number| {
                let held = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                Some(Self { number, _held: held })
            })
            .expect("loopback has free ports")
    }

    pub(crate) fn address(&self) -> Address {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.number)).into()
    }
}
