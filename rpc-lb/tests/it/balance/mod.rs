//! Balancers by themselves: endpoints without a task, a clock that only the test moves.

mod config;
mod hash;
mod lists;
mod load;
mod reports;
mod shares;
mod smart;

use std::sync::Arc;

use rpc_core::{Call, transport::Transport as _};
use rpc_lb::{Balancer, Endpoint, PickRequest, Picker};
use rpc_registry::Instance;
use tokio::time::Instant;

use crate::fleet::{FakeTransport, address, instance};

/// A list of endpoints, and the picker that a balancer made for it.
pub(crate) struct List {
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    pub(crate) picker: Box<dyn Picker>,
    pub(crate) now: Instant,
}

impl List {
    /// So many endpoints of the usual weight.
    pub(crate) fn of(balancer: &dyn Balancer, n: usize) -> Self {
        Self::with(balancer, (0..n).map(instance))
    }

    pub(crate) fn weighted(balancer: &dyn Balancer, weights: &[u32]) -> Self {
        let instances = weights.iter().enumerate();
        Self::with(
            balancer,
            instances.map(|(n, weight)| instance(n).with_weight(*weight)),
        )
    }

    pub(crate) fn with(balancer: &dyn Balancer, instances: impl IntoIterator<Item = Instance>) -> Self {
        let now = Instant::now();
        let transport = FakeTransport::default();
        let endpoint = |instance: Instance| {
            let link = transport.link(instance.address_for("fake").unwrap());
            Arc::new(Endpoint::new(Arc::new(instance), link, now))
        };
        let endpoints: Vec<_> = instances.into_iter().map(endpoint).collect();
        let picker = balancer.picker(&endpoints);
        Self {
            endpoints,
            picker,
            now,
        }
    }

    pub(crate) fn pick(&self, call: &Call<'_>) -> usize {
        self.pick_again(call, 0)
    }

    pub(crate) fn pick_again(&self, call: &Call<'_>, attempt: u32) -> usize {
        let request = PickRequest::new(call, &self.endpoints, self.now).with_attempt(attempt);
        self.picker.pick(&request) % self.endpoints.len()
    }

    /// The id of the endpoint that a call goes to.
    pub(crate) fn id(&self, call: &Call<'_>) -> &str {
        self.endpoints[self.pick(call)].id().as_str()
    }
}

#[test]
fn addresses_of_the_fleet_differ() {
    assert_ne!(address(1), address(1001));
}
