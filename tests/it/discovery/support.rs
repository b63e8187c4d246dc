//! Servers that say who they are, and a registry that can be taken away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use rpc::{
    InstanceHandle, ServerBuilder, ServerHandle, Target,
    net::Address,
    prelude::*,
    registry::{BadRecord, Fault, Place, Registration, Registry, Resolver, Scheme, Update, Watch},
    server::ServeError,
};
use tokio::task::JoinHandle;

#[rpc::service(package = "discovery.test.v1")]
pub(crate) trait Who {
    async fn name(&self) -> Result<String>;
}

pub(crate) struct Named(pub(crate) String);

impl Who for Named {
    async fn name(&self) -> Result<String> {
        Ok(self.0.clone())
    }
}

/// Says `name`, is announced as `name`.
pub(crate) fn server(name: &str) -> ServerBuilder {
    Server::builder()
        .add_service(WhoServer::new(Named(name.to_owned())))
        .instance(Instance::new(name))
        .without_signals()
}

pub(crate) struct Running {
    pub(crate) instance: InstanceHandle,
    pub(crate) handle: ServerHandle,
    /// Where it listens first.
    pub(crate) address: Address,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) async fn start(builder: ServerBuilder) -> Self {
        Self::at(builder, vec!["127.0.0.1:0".to_owned()]).await
    }

    pub(crate) async fn at(builder: ServerBuilder, addresses: Vec<String>) -> Self {
        let bound = builder.build().unwrap().bind(addresses).await.unwrap();
        Self {
            instance: bound.instance(),
            handle: bound.handle(),
            address: bound.local_addresses()[0].clone(),
            task: tokio::spawn(bound.serve()),
        }
    }

    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        in_time(self.task).await.unwrap().unwrap();
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(self) {
        self.task.abort();
    }
}

/// Waits until something is so, which is asked again and again.
pub(crate) async fn until(f: impl Fn() -> bool) {
    in_time(async {
        while !f() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

pub(crate) async fn until_ready(client: &Client, instances: usize) {
    client.endpoints().start().unwrap();
    until(|| client.endpoints().snapshot().ready().len() == instances).await;
}

/// Who answered, of so many calls. None of them may fail.
pub(crate) async fn tally(client: &Client, calls: usize) -> BTreeMap<String, usize> {
    let who = WhoClient::new(client);
    let mut tally = BTreeMap::new();
    for _ in 0..calls {
        // A call into this process needs nobody else to run.
        tokio::task::yield_now().await;
        *tally.entry(who.name().await.expect("no call fails")).or_default() += 1;
    }
    tally
}

pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("the test hangs")
}

/// A registry for `book:` targets that can be down, come back empty, or hold a bad record.
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Mutex<BookState>>);

#[derive(Default)]
struct BookState {
    memory: MemoryRegistry,
    down: bool,
    bad: bool,
    /// What was registered in an earlier one is lost, and a watch of it begins anew.
    epoch: u64,
    /// Records whose provider has given them up stay until the book is wiped.
    kept: Vec<Box<dyn Registration>>,
}

impl Book {
    pub(crate) fn set_down(&self, down: bool) {
        self.0.lock().unwrap().down = down;
    }

    /// Comes back without anything that it knew.
    pub(crate) fn wipe(&self) {
        let mut state = self.0.lock().unwrap();
        state.memory = MemoryRegistry::new();
        state.epoch += 1;
    }

    pub(crate) fn spoil(&self) {
        let mut state = self.0.lock().unwrap();
        state.bad = true;
        state.epoch += 1;
    }

    pub(crate) fn instances(&self) -> usize {
        self.0.lock().unwrap().memory.instances("who").len()
    }

    fn now(&self) -> Result<(MemoryRegistry, u64, bool), Fault> {
        let state = self.0.lock().unwrap();
        if state.down {
            return Err(Fault::transient("the book is closed"));
        }
        Ok((state.memory.clone(), state.epoch, state.bad))
    }
}

#[async_trait]
impl Registry for Book {
    async fn announce(&self, name: &str, instance: &Instance) -> Result<Box<dyn Registration>, Fault> {
        let (memory, epoch, _) = self.now()?;
        let inner = memory.announce(name, instance).await?;
        let book = self.clone();
        let inner = Some(inner);
        Ok(Box::new(Page { book, epoch, inner }))
    }

    fn notice(&self) -> Duration {
        Duration::from_millis(100)
    }
}

struct Page {
    book: Book,
    epoch: u64,
    inner: Option<Box<dyn Registration>>,
}

impl Drop for Page {
    fn drop(&mut self) {
        if let (Some(inner), Ok(mut state)) = (self.inner.take(), self.book.0.lock()) {
            state.kept.push(inner);
        }
    }
}

#[async_trait]
impl Registration for Page {
    fn lease(&self) -> Option<Duration> {
        Some(Duration::from_millis(600))
    }

    async fn renew(&mut self) -> Result<(), Fault> {
        let (_, epoch, _) = self.book.now()?;
        (epoch == self.epoch)
            .then_some(())
            .ok_or_else(|| Fault::lost("not in the book"))
    }

    async fn amend(&mut self, instance: &Instance) -> Result<(), Fault> {
        self.renew().await?;
        match &mut self.inner {
            Some(inner) => inner.amend(instance).await,
            None => Err(Fault::lost("it was withdrawn")),
        }
    }

    async fn withdraw(&mut self) -> Result<(), Fault> {
        match self.inner.take() {
            Some(mut inner) => inner.withdraw().await,
            None => Ok(()),
        }
    }
}

impl Scheme for Book {
    fn name(&self) -> &'static str {
        "book"
    }

    fn resolver(&self, _: &Target) -> Result<Arc<dyn Resolver>, rpc::BuildError> {
        Ok(Arc::new(self.clone()))
    }

    fn registry(&self, _: &Target) -> Result<Place, rpc::BuildError> {
        Ok(Place::new(Arc::new(self.clone()), "who"))
    }
}

impl Resolver for Book {
    fn watch(&self) -> Box<dyn Watch> {
        Box::new(Reading {
            book: self.clone(),
            at: None,
        })
    }
}

struct Reading {
    book: Book,
    at: Option<(u64, Box<dyn Watch>)>,
}

#[async_trait]
impl Watch for Reading {
    async fn next(&mut self) -> Result<Update, Fault> {
        loop {
            let now = self.book.now();
            if now.is_err() {
                // It keeps no place: the next list says that the book is open again.
                self.at = None;
            }
            let (memory, epoch, bad) = now?;
            let (known, watch) = self
                .at
                .get_or_insert_with(|| (epoch, memory.resolver_of("who").watch()));
            if *known != epoch {
                self.at = None;
                continue;
            }
            // It looks whether the book was changed under it.
            let looked = tokio::time::timeout(Duration::from_millis(10), watch.next()).await;
            if let Ok(update) = looked {
                let mut update = update?;
                if bad && let Update::Snapshot(records) = &mut update {
                    records.push(Err(BadRecord::new(
                        "bad",
                        Fault::invalid("weight", "is a colour"),
                    )));
                }
                return Ok(update);
            }
        }
    }
}
