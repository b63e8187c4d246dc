//! The pick as a stage.

use std::{pin::pin, sync::Arc};

use rpc_core::{Call, Reply, Stage, Status};

use super::{EndpointStage, failure};
use crate::{Endpoint, Endpoints, RoundRobin, Snapshot};

/// Chooses the endpoint of each call. See the [module](super).
#[derive(Debug)]
pub struct Pick<S> {
    inner: S,
    endpoints: Endpoints,
    wait_for_ready: bool,
}

enum Choice {
    Endpoint(Arc<Endpoint>),
    Wait,
    Fail(Status),
}

impl<S> Pick<S> {
    pub(super) fn new(inner: S, endpoints: Endpoints, wait_for_ready: bool) -> Self {
        Self {
            inner,
            endpoints,
            wait_for_ready,
        }
    }
}

impl<S: EndpointStage> Stage for Pick<S> {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let wait = call.options.wait_for_ready.unwrap_or(self.wait_for_ready);
        let ready = self
            .endpoints
            .read(|snapshot, balancer| balancer.pick(&snapshot.ready).map(Arc::clone));
        let endpoint = match ready {
            Some(endpoint) => endpoint,
            // Boxed: the way that nearly all calls take does not carry its state along.
            None => Box::pin(self.endpoints.acquire(wait, &mut Vec::new())).await?,
        };
        let refused = match self.inner.call(&endpoint, call).await {
            Err(status) if failure::may_go_elsewhere(&status, call) => status,
            result => return result,
        };
        tracing::debug!(?endpoint, status = %refused, "refused; trying elsewhere");
        Box::pin(self.elsewhere(call, endpoint, refused, wait)).await
    }
}

impl<S: EndpointStage> Pick<S> {
    #[cold]
    async fn elsewhere(
        &self,
        call: &mut Call<'_>,
        endpoint: Arc<Endpoint>,
        mut refused: Status,
        wait: bool,
    ) -> Result<Reply, Status> {
        let mut tried = vec![endpoint];
        loop {
            // Whatever the reason is that there is no other: what the endpoint said says more.
            let Ok(other) = self.endpoints.acquire(wait, &mut tried).await else {
                return Err(refused);
            };
            match self.inner.call(&other, call).await {
                // Who waits for ready goes on, but comes back to an endpoint only after something has changed.
                Err(status) if wait && failure::never_left(&status, call) => {
                    refused = status;
                    tried.push(other);
                }
                result => return result,
            }
        }
    }
}

impl Endpoints {
    /// Waits until an endpoint can be called. Makes the endpoints resolve and connect, if they do not yet.
    ///
    /// # Errors
    /// UNAVAILABLE: `NO_ENDPOINT` when none can be reached, unless `wait_for_ready`; `CHANNEL_CLOSED`.
    pub async fn ready(&self, wait_for_ready: bool) -> Result<(), Status> {
        self.acquire(wait_for_ready, &mut Vec::new()).await.map(drop)
    }

    async fn acquire(&self, wait: bool, tried: &mut Vec<Arc<Endpoint>>) -> Result<Arc<Endpoint>, Status> {
        loop {
            let mut changed = pin!(self.changed().notified());
            // From here on no snapshot is missed.
            changed.as_mut().enable();
            match self.read(|snapshot, balancer| choose(self.target(), snapshot, balancer, wait, tried)) {
                Choice::Endpoint(endpoint) => return Ok(endpoint),
                Choice::Fail(status) => return Err(status),
                Choice::Wait => self.want()?,
            }
            changed.await;
            if wait {
                // Those that refused may have another connection by now.
                tried.clear();
            }
        }
    }
}

fn choose(
    target: &str,
    snapshot: &Snapshot,
    balancer: &RoundRobin,
    wait: bool,
    tried: &[Arc<Endpoint>],
) -> Choice {
    match balancer.pick_untried(&snapshot.ready, tried) {
        Some(endpoint) => Choice::Endpoint(Arc::clone(endpoint)),
        None if snapshot.closed => Choice::Fail(failure::closed(target)),
        None if wait || snapshot.is_hopeful() => Choice::Wait,
        None => Choice::Fail(failure::no_endpoint(target, snapshot)),
    }
}
