//! A fleet in one process: `cargo run --example quickstart`.
//!
//! Three instances of a service listen on real ports and announce themselves in the embedded registry. A client finds them
//! there and calls them, over the framed protocol, which they list beside gRPC. Then one stops, another starts, and the calls
//! go on. Nothing outside of this program is needed; it ends by itself, and with an error if a single call failed.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rpc::{ServerHandle, prelude::*};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinHandle, time::sleep};

/// A message: any type with serde's derives.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stock {
    left: u32,
    /// Which instance says so.
    answered_by: String,
}

/// A service is a trait. The attribute makes a stub of it, `InventoryClient`, and a server, `InventoryServer`.
#[rpc::service(package = "shop.v1")]
pub trait Inventory {
    /// Units of an article in stock.
    #[rpc(idempotent, timeout = "2s")]
    async fn stock(&self, sku: String) -> Result<Stock>;

    /// The stock, as it goes down.
    async fn watch(&self, sku: String) -> Result<Streaming<Stock>>;
}

/// An implementation is a plain `impl`: no attribute, no boxes.
struct Shelf {
    name: String,
}

impl Inventory for Shelf {
    async fn stock(&self, sku: String) -> Result<Stock> {
        if sku.is_empty() {
            return Err(Status::invalid_argument("`sku` is empty").with_reason("SKU_EMPTY"));
        }
        Ok(Stock {
            left: 3,
            answered_by: self.name.clone(),
        })
    }

    async fn watch(&self, _: String) -> Result<Streaming<Stock>> {
        let name = self.name.clone();
        Ok(Streaming::from_iter((0..=3).rev().map(move |left| Stock {
            left,
            answered_by: name.clone(),
        })))
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let registry = MemoryRegistry::new();

    println!("1. Three instances start and announce themselves as `inventory`.");
    let first = Running::start("shop-1", &registry).await?;
    let second = Running::start("shop-2", &registry).await?;
    let third = Running::start("shop-3", &registry).await?;

    println!("2. A client finds them, and picks one for each call.");
    let client = Client::builder()
        .target("memory:///inventory")
        .registry(registry.clone())
        .build()?;
    client.ready().await?;
    let inventory = InventoryClient::new(&client);
    wait_for(&client, 3).await?;
    for _ in 0..6 {
        let stock = inventory.stock("4711".to_owned()).await?;
        println!("   {} left, says {}", stock.left, stock.answered_by);
    }

    println!("3. A stream is read one message at a time.");
    let mut stock = inventory.watch("4711".to_owned()).await?;
    while let Some(stock) = stock.message().await? {
        println!("   {} left, says {}", stock.left, stock.answered_by);
    }

    println!("4. A failure says what went wrong, in a word for programs and in a sentence for people.");
    let status = inventory
        .stock(String::new())
        .await
        .expect_err("an empty sku is refused");
    println!("   {status}");

    println!("5. While eight callers call, shop-2 stops gracefully and shop-4 starts.");
    let load = Load::start(&inventory);
    sleep(Duration::from_millis(200)).await;
    second.stop().await?;
    println!("   shop-2 has stopped");
    let fourth = Running::start("shop-4", &registry).await?;
    wait_for(&client, 3).await?;
    sleep(Duration::from_millis(200)).await;
    let report = load.stop().await?;
    for (name, calls) in &report.answered {
        println!("   {name} answered {calls} calls");
    }
    println!("   {} calls failed", report.failed.len());

    println!("6. Everything stops.");
    client.close().await;
    for running in [first, third, fourth] {
        running.stop().await?;
    }

    match report.failed.first() {
        None if report.answered.contains_key("shop-4") => Ok(()),
        None => Err("shop-4 got no call".into()),
        Some(status) => Err(format!("{} calls failed, the first one: {status}", report.failed.len()).into()),
    }
}

/// An instance that serves.
struct Running {
    handle: ServerHandle,
    task: JoinHandle<Result<(), rpc::server::ServeError>>,
}

impl Running {
    async fn start(name: &str, registry: &MemoryRegistry) -> Result<Self, Error> {
        let server = Server::builder()
            .add_service(InventoryServer::new(Shelf {
                name: name.to_owned(),
            }))
            .register(registry.clone(), "inventory")
            .instance(Instance::new(name))
            .build()?
            // Port 0 is a free one: the registry tells clients which.
            .bind("127.0.0.1:0")
            .await?;
        println!("   {name} listens on {}", server.local_addresses()[0]);
        let handle = server.handle();
        Ok(Self {
            handle,
            task: tokio::spawn(server.serve()),
        })
    }

    /// Leaves the registry, tells the clients, finishes what runs, and only then closes.
    async fn stop(self) -> Result<(), Error> {
        self.handle.shutdown();
        Ok(self.task.await??)
    }
}

/// Waits until the client is connected to that many instances.
async fn wait_for(client: &Client, instances: usize) -> Result<(), Error> {
    for _ in 0..1000 {
        if client.endpoints().snapshot().ready().len() == instances {
            return Ok(());
        }
        sleep(Duration::from_millis(5)).await;
    }
    Err(format!("the client has not found {instances} instances within 5 seconds").into())
}

/// Callers that call without a pause.
struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Report>>,
}

#[derive(Default)]
struct Report {
    answered: BTreeMap<String, usize>,
    failed: Vec<Status>,
}

impl Load {
    fn start(inventory: &InventoryClient) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let caller = |_| {
            // Stubs are cheap to clone; clones share connections.
            let (inventory, stop) = (inventory.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut report = Report::default();
                while !stop.load(Ordering::Relaxed) {
                    match inventory.stock("4711".to_owned()).await {
                        Ok(stock) => *report.answered.entry(stock.answered_by).or_default() += 1,
                        Err(status) => report.failed.push(status),
                    }
                }
                report
            })
        };
        Self {
            callers: (0..8).map(caller).collect(),
            stop,
        }
    }

    async fn stop(self) -> Result<Report, Error> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Report::default();
        for caller in self.callers {
            let report = caller.await?;
            for (name, calls) in report.answered {
                *all.answered.entry(name).or_default() += calls;
            }
            all.failed.extend(report.failed);
        }
        Ok(all)
    }
}
