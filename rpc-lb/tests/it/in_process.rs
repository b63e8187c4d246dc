//! What is learnt of instances in this very process.

use std::{sync::Arc, time::Duration};

use rpc_core::{
    Body, Call, Reply, Stage, Status,
    server::{Dispatch, Router},
    stage::SharedStage,
    transport::LocalTransport,
};
use rpc_lb::{Endpoints, HealthConfig, MeasureLayer, PickLayer, ToLink};
use rpc_registry::{HoldBack, Instance, MemoryRegistry, Registry as _};
use tower_layer::Layer as _;

use crate::fleet::{call, in_turn, settle};

/// A server that answers everything.
struct Answers;

impl Stage for Answers {
    async fn call(&self, _: &mut Call<'_>) -> Result<Reply, Status> {
        Ok(Reply::new(Body::Empty))
    }
}

/// How many of ten calls are counted where there are so many instances, and nobody needs to know how long calls take.
async fn counted_of(instances: usize) -> u32 {
    let memory = MemoryRegistry::new();
    let mut registrations = Vec::new();
    for n in 0..instances {
        let address = format!("local:i-{n}").parse().unwrap();
        let instance = Instance::new(format!("i-{n}")).with_address("local", address);
        registrations.push(memory.announce("test", &instance).await.unwrap());
    }
    let mut config = in_turn();
    config.health = HealthConfig::off();
    config.follow.hold_back = HoldBack::off();
    config.follow.settle = Duration::ZERO;
    let dispatch = Dispatch::with_pipeline(Arc::new(Router::new()), |_| SharedStage::new(Answers));
    let transport = Arc::new(LocalTransport::new(dispatch));
    let endpoints = Endpoints::configured("memory:///test", memory.resolver_of("test"), transport, config);
    let pick = PickLayer::new(endpoints.clone()).layer(MeasureLayer::new().layer(ToLink));
    endpoints.ready(true).await.unwrap();
    settle().await;
    for _ in 0..10 {
        pick.call(&mut call()).await.unwrap();
    }
    let snapshot = endpoints.snapshot();
    let counts = snapshot
        .ready()
        .iter()
        .map(|endpoint| endpoint.stats().take_counts());
    counts.map(|(successes, _)| successes).sum()
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_where_there_is_a_choice() {
    assert_eq!(counted_of(2).await, 10);
    assert_eq!(counted_of(1).await, 0);
}
