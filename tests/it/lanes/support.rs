//! Services that say which way a request went.

use std::time::Duration;

use rpc::{
    Context, InstanceHandle, ServerHandle, context::Lane, lanes::LaneHook, prelude::*, server::ServeError,
};
use tokio::task::JoinHandle;

/// A service that says who it is, and has the next one say so too.
#[rpc::service(package = "lanes.test.v1")]
pub(crate) trait Hop {
    /// The instances that the request went through, each as `service@lane`.
    #[rpc(idempotent)]
    async fn visit(&self, note: Request<String>) -> Result<Vec<String>>;

    /// The same, where each of them copies the metadata that it gets into the call that it makes.
    #[rpc(idempotent)]
    async fn visit_and_copy(&self, note: Request<String>) -> Result<Vec<String>>;

    /// What the handler sees in its metadata, as `key: value`, of the keys in the note.
    #[rpc(idempotent)]
    async fn metadata(&self, keys: Request<Vec<String>>) -> Result<Vec<String>>;
}

struct Stop {
    name: String,
    next: Option<HopClient>,
}

impl Hop for Stop {
    async fn visit(&self, _: Request<String>) -> Result<Vec<String>> {
        let mut way = vec![self.name.clone()];
        if let Some(next) = &self.next {
            // Nothing here knows of lanes.
            way.extend(next.visit(note()).await?);
        }
        Ok(way)
    }

    async fn visit_and_copy(&self, arrived: Request<String>) -> Result<Vec<String>> {
        let mut way = vec![self.name.clone()];
        if let Some(next) = &self.next {
            let mut request = note();
            *request.metadata_mut() = arrived.metadata().clone();
            way.extend(next.visit_and_copy(request).await?);
        }
        Ok(way)
    }

    async fn metadata(&self, keys: Request<Vec<String>>) -> Result<Vec<String>> {
        let is_asked = |key: &str| keys.message().iter().any(|asked| asked == key);
        Ok(keys
            .metadata()
            .iter()
            .filter(|(key, _)| is_asked(key.as_str()))
            .map(|(key, value)| format!("{}: {}", key.as_str(), value.as_str().unwrap_or("?")))
            .collect())
    }
}

/// What carries the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Grpc,
    Framed,
}

/// A running instance.
pub(crate) struct Running {
    pub(crate) instance: InstanceHandle,
    handle: ServerHandle,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.handle.shutdown();
        self.task.await.unwrap().unwrap();
    }
}

pub(crate) fn note() -> Request<String> {
    Request::new(String::new())
}

pub(crate) fn lane(name: &str) -> Lane {
    Lane::new(name).unwrap()
}

pub(crate) fn client(memory: &MemoryRegistry, service: &str, wire: Wire) -> Client {
    Client::builder()
        .registry(memory.clone())
        .target(format!("memory:///{service}"))
        .prefer_framed(wire == Wire::Framed)
        .build()
        .unwrap()
}

/// Starts an instance of a service in a lane. It calls the next service, if there is one.
pub(crate) async fn start(
    memory: &MemoryRegistry,
    service: &str,
    of: Option<&str>,
    next: Option<&str>,
    wire: Wire,
) -> Running {
    start_with(memory, service, of, next, wire, LaneHook::inbound()).await
}

pub(crate) async fn start_with(
    memory: &MemoryRegistry,
    service: &str,
    of: Option<&str>,
    next: Option<&str>,
    wire: Wire,
    lanes: LaneHook,
) -> Running {
    let name = format!("{service}@{}", of.unwrap_or("base"));
    let next = next.map(|next| HopClient::new(client(memory, next, wire)));
    let stop = Stop {
        name: name.clone(),
        next,
    };
    let bound = Server::builder()
        .add_service(HopServer::new(stop))
        .instance(Instance::new(&*name).with_lane(of.map(lane)))
        .register(memory.clone(), service)
        .notice(Duration::from_millis(50))
        .lanes(lanes)
        .without_signals()
        .build()
        .unwrap()
        .bind(["127.0.0.1:0"])
        .await
        .unwrap();
    let running = Running {
        instance: bound.instance(),
        handle: bound.handle(),
        task: tokio::spawn(bound.serve()),
    };
    let is_listed = || {
        memory
            .instances(service)
            .iter()
            .any(|instance| instance.id.as_str() == name)
    };
    while !is_listed() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    running
}

/// The way of a request that is made in a lane.
pub(crate) async fn way(hop: &HopClient, of: Option<&str>) -> Result<Vec<String>> {
    // The stub takes the context on when it is called.
    Context::new()
        .with_lane(of.map(lane))
        .enter(|| hop.visit(note()))
        .await
}

/// Waits until requests of a lane go a way; none may fail meanwhile.
pub(crate) async fn until_way(hop: &HopClient, of: Option<&str>, expected: &[&str]) {
    let reached = async {
        while way(hop, of).await.expect("no call fails") != expected {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), reached).await;
    assert!(
        in_time.is_ok(),
        "{of:?} never went {expected:?}, but {:?}",
        way(hop, of).await
    );
}
