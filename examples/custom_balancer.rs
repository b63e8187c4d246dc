//! A balancer of one's own, which fills one instance up before it uses the next: `cargo run --example custom_balancer`.

use std::sync::Arc;

use rpc::lb::{Balancer, Endpoint, PickRequest, Picker};
use rpc::prelude::*;

/// So many calls at a time go to an instance before the next one gets any: what is not needed can be stopped.
#[derive(Debug, Clone, Copy)]
struct FillUp(u32);

impl Balancer for FillUp {
    fn name(&self) -> &'static str {
        "fill_up"
    }

    fn picker(&self, _: &[Arc<Endpoint>]) -> Box<dyn Picker> {
        Box::new(*self)
    }
}

impl Picker for FillUp {
    fn pick(&self, request: &PickRequest<'_, '_>) -> usize {
        let is_free = |endpoint: &Arc<Endpoint>| endpoint.stats().in_flight() < self.0;
        request.endpoints.iter().position(is_free).unwrap_or(0)
    }
}

#[rpc::service(package = "demo.v1")]
trait Worker {
    async fn work(&self) -> Result<usize>;
}

impl Worker for usize {
    async fn work(&self) -> Result<usize> {
        Ok(*self)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut addresses = Vec::new();
    for n in 0..2 {
        let server = Server::builder().add_service(WorkerServer::new(n)).build()?;
        let server = server.bind("127.0.0.1:0").await?;
        addresses.push(server.local_addresses()[0].to_string());
        tokio::spawn(server.serve());
    }
    let target = format!("static://{}", addresses.join(","));
    let client = Client::builder().target(target).balancer(FillUp(2)).build()?;
    client.ready().await?;
    while client.endpoints().snapshot().ready().len() < 2 {
        tokio::task::yield_now().await;
    }
    let worker = WorkerClient::new(&client);
    let (a, b, c) = tokio::try_join!(worker.work(), worker.work(), worker.work())?;
    assert!(a == b && b != c, "answered by {a}, {b} and {c}");
    Ok(())
}
