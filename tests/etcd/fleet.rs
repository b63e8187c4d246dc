//! Servers that announce themselves in etcd, and clients that call them without a pause.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rpc::{
    Client, Instance, Result, Server,
    registry::{
        InstanceId,
        record::{Directory, Layout},
    },
    server::{ServeError, ServerHandle},
};
use rpc_etcd::{Entry, Etcd};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::node::{LONG, Node, in_time, until};

/// The shortest lease that etcd gives, give or take: what takes a lease to show takes no time.
const LEASE_S: u64 = 3;
/// That make calls.
const TASKS: usize = 4;

#[rpc::service(package = "test.v1")]
pub(crate) trait Who {
    /// The id of who answers.
    async fn answers(&self) -> Result<String>;
}

struct Me(String);

impl Who for Me {
    async fn answers(&self) -> Result<String> {
        Ok(self.0.clone())
    }
}

pub(crate) struct Provider {
    pub(crate) handle: ServerHandle,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Provider {
    pub(crate) async fn start(node: &Node, id: &str) -> Self {
        let server = Server::builder()
            .add_service(WhoServer::new(Me(id.to_owned())))
            .announce_at(format!("{}?ttl={LEASE_S}", node.target("shop")))
            .instance(Instance::new(id))
            .without_signals()
            .build()
            .unwrap();
        let bound = server.bind("127.0.0.1:0").await.unwrap();
        Self {
            handle: bound.handle(),
            task: tokio::spawn(bound.serve()),
        }
    }

    /// Stops in good order.
    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        in_time(self.task).await.unwrap().unwrap();
    }
}

/// Calls without a pause, from several tasks of one client. A failed call fails the test.
pub(crate) struct Traffic {
    tasks: Vec<JoinHandle<()>>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// That have ended, of each task.
    calls: [AtomicU64; TASKS],
    failures: Mutex<Vec<String>>,
    /// How often each has answered.
    answers: Mutex<BTreeMap<String, u64>>,
}

impl Traffic {
    pub(crate) async fn start(node: &Node) -> Self {
        let client = Client::builder().target(node.target("shop")).build().unwrap();
        in_time(client.ready()).await.unwrap();
        let seen = Arc::<Seen>::default();
        let call = |number: usize| {
            let (stub, seen) = (WhoClient::new(&client), Arc::clone(&seen));
            tokio::spawn(async move {
                loop {
                    match stub.answers().await {
                        Ok(id) => *seen.answers.lock().unwrap().entry(id).or_default() += 1,
                        Err(status) => seen.failures.lock().unwrap().push(status.to_string()),
                    }
                    seen.calls[number].fetch_add(1, Relaxed);
                    // Leaves the machine to others too.
                    sleep(Duration::from_millis(1)).await;
                }
            })
        };
        let tasks = (0..TASKS).map(call).collect();
        Self { tasks, seen }
    }

    /// Goes on until each task has ended so many calls more.
    pub(crate) async fn goes_on(&self, calls: u64) {
        let count = || self.seen.calls.each_ref().map(|calls| calls.load(Relaxed));
        let from = count();
        until("calls go on", || async {
            count()
                .into_iter()
                .zip(from)
                .all(|(now, from)| now >= from + calls)
        })
        .await;
        self.has_not_failed();
    }

    /// Goes on for so long.
    pub(crate) async fn goes_on_for(&self, time: Duration) {
        sleep(time).await;
        self.goes_on(25).await;
    }

    /// Waits until somebody answers who did not before.
    pub(crate) async fn reaches(&self, id: &str) {
        until(&format!("`{id}` is called"), || async {
            self.seen.answers.lock().unwrap().contains_key(id)
        })
        .await;
    }

    /// How often somebody has answered.
    pub(crate) fn answers_of(&self, id: &str) -> u64 {
        self.seen
            .answers
            .lock()
            .unwrap()
            .get(id)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn has_not_failed(&self) {
        let failures = self.seen.failures.lock().unwrap();
        let calls: u64 = self.seen.calls.iter().map(|calls| calls.load(Relaxed)).sum();
        assert!(
            failures.is_empty(),
            "{} of {calls} calls failed, the first with: {}",
            failures.len(),
            failures[0],
        );
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Three providers that are called.
pub(crate) async fn fleet(node: &Node) -> ([Provider; 3], Traffic) {
    let providers = [
        Provider::start(node, "a").await,
        Provider::start(node, "b").await,
        Provider::start(node, "c").await,
    ];
    announced(node, &["a", "b", "c"]).await;
    let traffic = Traffic::start(node).await;
    for id in ["a", "b", "c"] {
        traffic.reaches(id).await;
    }
    traffic.goes_on(50).await;
    (providers, traffic)
}

/// Waits until just these are announced; says how long that took, and their records.
pub(crate) async fn announced(node: &Node, ids: &[&str]) -> (Duration, BTreeMap<InstanceId, Entry>) {
    let since = Instant::now();
    let etcd = node.etcd();
    loop {
        let records = records(&etcd).await;
        let there: Vec<_> = records.keys().map(InstanceId::as_str).collect();
        if there == ids {
            return (since.elapsed(), records);
        }
        assert!(since.elapsed() < LONG, "{there:?} are announced, not {ids:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// What is announced; nothing while etcd does not answer.
pub(crate) async fn records(etcd: &Etcd) -> BTreeMap<InstanceId, Entry> {
    let directory = Directory::new(Layout::Kratos, None, "shop").unwrap();
    let Ok(list) = etcd.list(directory.prefix().to_owned()).await else {
        return BTreeMap::new();
    };
    let mut records = BTreeMap::new();
    for entry in list.entries {
        for record in directory.read(&entry.key, &entry.value) {
            records.insert(record.expect("all records are good").id, entry.clone());
        }
    }
    records
}
