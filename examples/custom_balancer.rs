//! A balancer of one's own fills one instance up before it uses the next: `cargo run --example custom_balancer`.

use std::{error::Error, sync::Arc, time::Duration};

use rpc::{
    lb::{Balancer, Endpoint, PickRequest, Picker},
    prelude::*,
};

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
        let busy = |endpoint: &Arc<Endpoint>| endpoint.stats().in_flight();
        let mut all = request.endpoints.iter();
        let free = all.position(|endpoint| busy(endpoint) < self.0);
        // All are full: whoever has the least to do.
        free.unwrap_or_else(|| {
            (0..request.endpoints.len())
                .min_by_key(|n| busy(&request.endpoints[*n]))
                .unwrap_or(0)
        })
    }
}

#[rpc::service(package = "demo.v1")]
trait Worker {
    async fn work(&self) -> Result<u16>;
}

struct Slow(u16);

impl Worker for Slow {
    async fn work(&self) -> Result<u16> {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(self.0)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut addresses = Vec::new();
    for n in 0..2 {
        let server = Server::builder()
            .add_service(WorkerServer::new(Slow(n)))
            .build()?;
        let server = server.bind("127.0.0.1:0").await?;
        addresses.push(server.local_addresses()[0].to_string());
        tokio::spawn(server.serve());
    }
    let client = Client::builder()
        .target(format!("static://{}", addresses.join(",")))
        .balancer(FillUp(2))
        .build()?;
    client.ready().await?;
    while client.endpoints().snapshot().ready().len() < 2 {
        tokio::task::yield_now().await;
    }
    let worker = WorkerClient::new(&client);
    let (a, b, c) = tokio::try_join!(worker.work(), worker.work(), worker.work())?;
    println!("answered by {a}, {b} and {c}");
    if a == b && b != c {
        Ok(())
    } else {
        Err("two calls fit into one instance, and the third does not".into())
    }
}
