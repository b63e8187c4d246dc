//! A registry that says what a test tells it to, and a client that follows it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use rpc_registry::{
    Change, Fault, Follow, FollowConfig, Freshness, Instance, InstanceId, InstanceState, Resolver, Update,
    Watch,
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::timeout,
};

pub(crate) type Answer = Result<Update, Fault>;

/// Says what it was told to, then nothing.
pub(crate) struct Script(Mutex<Option<UnboundedReceiver<Answer>>>);

impl Script {
    pub(crate) fn new() -> (UnboundedSender<Answer>, Self) {
        let (registry, answers) = unbounded_channel();
        (registry, Self(Mutex::new(Some(answers))))
    }
}

struct Scripted(UnboundedReceiver<Answer>);

impl Resolver for Script {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Scripted(self.0.lock().unwrap().take().expect("one watch")))
    }
}

#[async_trait]
impl Watch for Scripted {
    async fn next(&mut self) -> Answer {
        match self.0.recv().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

/// A client, and what it sees.
pub(crate) struct Client {
    pub(crate) registry: UnboundedSender<Answer>,
    pub(crate) follow: Follow,
    /// Whether it is a suspect, by id.
    pub(crate) sees: BTreeMap<String, bool>,
    pub(crate) instances: BTreeMap<String, Arc<Instance>>,
    pub(crate) freshness: Freshness,
    pub(crate) changes: usize,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(configure: impl FnOnce(&mut FollowConfig)) -> Self {
        let mut config = FollowConfig::default();
        config.seed = Some(1);
        configure(&mut config);
        let (registry, script) = Script::new();
        Self {
            registry,
            follow: Follow::with_config("script:///shop", &script, config),
            sees: BTreeMap::new(),
            instances: BTreeMap::new(),
            freshness: Freshness::Pending,
            changes: 0,
        }
    }

    /// Takes in all that is told within so long.
    pub(crate) async fn wait(&mut self, time: Duration) {
        let _ = timeout(time, async {
            loop {
                let change = self.follow.next().await;
                self.take(change);
            }
        })
        .await;
    }

    /// Takes in what is told now.
    pub(crate) async fn settle(&mut self) {
        self.wait(Duration::from_millis(100)).await;
    }

    fn take(&mut self, change: Change) {
        self.changes += 1;
        for id in &change.gone {
            assert!(self.sees.remove(id.as_str()).is_some(), "`{id}` was not there");
            self.instances.remove(id.as_str());
        }
        for listed in change.put {
            let id = listed.instance.id.to_string();
            self.sees.insert(id.clone(), listed.suspect);
            self.instances.insert(id, listed.instance);
        }
        self.freshness = change.freshness;
    }

    pub(crate) fn tell(&self, answer: Answer) {
        self.registry.send(answer).unwrap();
    }

    pub(crate) fn list(&self, ids: impl IntoIterator<Item = usize>) {
        self.tell(Ok(Update::Snapshot(
            ids.into_iter().map(|n| Ok(instance(n))).collect(),
        )));
    }

    pub(crate) fn put(&self, instance: Instance) {
        let (put, gone) = (vec![Ok(instance)], Vec::new());
        self.tell(Ok(Update::Delta { put, gone }));
    }

    pub(crate) fn gone(&self, ids: impl IntoIterator<Item = usize>) {
        let (put, gone) = (Vec::new(), ids.into_iter().map(id).collect());
        self.tell(Ok(Update::Delta { put, gone }));
    }

    pub(crate) fn absent(&self) {
        self.tell(Ok(Update::Absent));
    }

    pub(crate) fn away(&self) {
        self.tell(Err(Fault::transient("away")));
    }

    /// How many there are, and how many of them are suspects.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (
            self.sees.len(),
            self.sees.values().filter(|suspect| **suspect).count(),
        )
    }
}

pub(crate) fn id(n: usize) -> InstanceId {
    format!("i-{n:05}").into()
}

pub(crate) fn instance(n: usize) -> Instance {
    let port = 10_000 + n % 50_000;
    Instance::new(id(n)).with_address("grpc", format!("10.0.0.1:{port}").parse().unwrap())
}

pub(crate) fn draining(n: usize) -> Instance {
    instance(n).with_state(InstanceState::Draining)
}
