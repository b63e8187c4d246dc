//! What routers make of requests, over a fleet without a network.

mod conditions;
mod groups;
mod order;
mod percentages;
mod tags;
mod zones;

use std::sync::Arc;

use rpc_lb::Router;
use rpc_registry::{Instance, Registration};

use crate::fleet::{FakeTransport, Fleet};

/// A fleet of these instances behind a router; all are ready.
async fn fleet(
    router: impl Router,
    instances: impl IntoIterator<Item = Instance>,
) -> (Fleet, Vec<Box<dyn Registration>>) {
    let mut config = crate::fleet::in_turn();
    config.routers = vec![Arc::new(router)];
    let fleet = Fleet::routed(FakeTransport::default(), config);
    let mut registrations = Vec::new();
    for instance in instances {
        registrations.push(fleet.announce(&instance).await);
    }
    fleet.until_ready(registrations.len()).await;
    (fleet, registrations)
}
