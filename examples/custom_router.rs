//! A router of your own, for data that must not leave its region: `cargo run --example custom_router`.

use rpc::lb::route::{Candidates, Fact, Population, RouteKey, Router};
use rpc::{Call, prelude::*};

#[rpc::service(package = "demo.v1")]
trait Archive {
    async fn store(&self, request: Request<String>) -> Result<String>;
}

impl Archive for &'static str {
    async fn store(&self, _: Request<String>) -> Result<String> {
        Ok((*self).to_owned())
    }
}

/// A request may only go to the zone that it names.
#[derive(Debug)]
struct Residency;

impl Router for Residency {
    fn name(&self) -> &'static str {
        "residency"
    }
    fn facts(&self) -> Vec<Fact> {
        vec![Fact::Zone]
    }
    /// What matters of a request: one of the zones that there are, so there are few different ones.
    fn key(&self, call: &Call<'_>, known: &Population) -> RouteKey {
        let asked = call.metadata.get("x-zone");
        let zone = asked.and_then(|zone| known.find(&Fact::Zone, zone));
        zone.map_or(RouteKey::Plain, |zone| RouteKey::Text(zone.clone(), 0))
    }
    /// Where such requests go: worked out once for each list of endpoints, not at each call.
    fn narrow(&self, key: &RouteKey, candidates: &mut Candidates<'_>) {
        candidates
            .retain(|it| matches!(key, RouteKey::Text(zone, _) if it.instance.zone.as_ref() == Some(zone)));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = MemoryRegistry::new();
    for zone in ["eu", "us"] {
        let server = Server::builder().add_service(ArchiveServer::new(zone));
        let server = server.register(registry.clone(), "archive");
        let server = server.instance(Instance::new(zone).with_zone(zone)).build()?;
        tokio::spawn(server.bind("127.0.0.1:0").await?.serve());
    }
    let client = Client::builder().target("memory:///archive").registry(registry);
    let archive = ArchiveClient::new(&client.wait_for_ready(true).router(Residency).build()?);
    for zone in ["eu", "us"] {
        let mut request = Request::new("a letter".to_owned());
        request.metadata_mut().insert("x-zone", zone)?;
        assert_eq!(archive.store(request).await?, zone);
    }
    Ok(())
}
