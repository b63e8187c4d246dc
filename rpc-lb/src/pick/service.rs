//! The pick as a stage.

use std::{pin::pin, sync::Arc};

use rpc_core::{Call, Reply, Stage, Status};
use tokio::time::Instant;

use super::{EndpointStage, Picked, failure};
use crate::{Endpoint, Endpoints, PickRequest, Snapshot, Subset, route::Step};

/// Chooses the endpoint of each call. See the [module](super).
#[derive(Debug)]
pub struct Pick<S> {
    inner: S,
    endpoints: Endpoints,
    wait_for_ready: bool,
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
        let (picked, revision) = match self.endpoints.pick(call) {
            Some(picked) => picked,
            // Boxed: the way that nearly all calls take does not carry its state along.
            None => Box::pin(self.endpoints.acquire(call, wait, &mut Tried::default())).await?,
        };
        self.endpoints.beat();
        let result = {
            let lent = Impatient::new(call);
            self.inner.call(&picked, lent.call).await
        };
        let refused = match result {
            Err(status) if failure::may_go_elsewhere(&status, call) => status,
            result => return result,
        };
        tracing::debug!(endpoint = ?picked.endpoint, status = %refused, "refused; trying elsewhere");
        let tried = Tried {
            endpoints: vec![picked.endpoint],
            revision,
        };
        Box::pin(self.elsewhere(call, tried, refused, wait)).await
    }
}

impl<S: EndpointStage> Pick<S> {
    #[cold]
    async fn elsewhere(
        &self,
        call: &mut Call<'_>,
        mut tried: Tried,
        mut refused: Status,
        wait: bool,
    ) -> Result<Reply, Status> {
        loop {
            let other = if failure::never_left(&refused, call) {
                let acquired = self.endpoints.acquire(call, wait, &mut tried).await;
                acquired.ok().map(|(other, _)| other)
            } else {
                // What an instance does not know it will not know later either: another may, if it is there.
                self.endpoints.pick_another(call, &tried.endpoints)
            };
            // Whatever the reason is that there is no other: what the endpoint said says more.
            let Some(other) = other else {
                return Err(refused);
            };
            let result = {
                let lent = Impatient::new(call);
                self.inner.call(&other, lent.call).await
            };
            match result {
                // Who waits for ready goes on, but comes back to an endpoint only after something has changed.
                Err(status) if wait && failure::never_left(&status, call) => {
                    refused = status;
                    tried.endpoints.push(other.endpoint);
                }
                result => return result,
            }
        }
    }
}

/// A call on its way to one endpoint. It is the pick that waits for ready, for any of them; a link that did would keep the call
/// at an instance that is gone while others are there. What was asked for stands in the call again once this is dropped.
struct Impatient<'c, 'a> {
    call: &'c mut Call<'a>,
    asked: bool,
}

impl<'c, 'a> Impatient<'c, 'a> {
    fn new(call: &'c mut Call<'a>) -> Self {
        let asked = call.options.wait_for_ready == Some(true);
        if asked {
            // Copies options that are lent: no other call pays for that.
            call.options.wait_for_ready = Some(false);
        }
        Self { call, asked }
    }
}

impl Drop for Impatient<'_, '_> {
    fn drop(&mut self) {
        if self.asked {
            self.call.options.wait_for_ready = Some(true);
        }
    }
}

/// The endpoints that refused a call, and in which snapshot it looked for them.
#[derive(Default)]
struct Tried {
    endpoints: Vec<Arc<Endpoint>>,
    revision: u64,
}

impl Endpoints {
    /// Waits until an endpoint can be called. Makes the endpoints resolve and connect, if they do not yet.
    ///
    /// # Errors
    /// UNAVAILABLE: `NO_ENDPOINT` when none can be reached, unless `wait_for_ready`; `CHANNEL_CLOSED`.
    pub async fn ready(&self, wait_for_ready: bool) -> Result<(), Status> {
        self.until(wait_for_ready, &mut Tried::default(), |snapshot, _| {
            let ready = snapshot.members.iter().any(|member| member.is_ready);
            let pending = snapshot.members.iter().any(|member| !member.is_ready);
            if ready {
                Ok(())
            } else {
                Err((snapshot.is_hopeful_with(pending), None))
            }
        })
        .await
    }

    /// Picks an endpoint, if one can be called now, and says in which snapshot.
    #[inline]
    fn pick(&self, call: &Call<'_>) -> Option<(Picked, u64)> {
        self.read(|snapshot| {
            let picked = snapshot.with_subset(call, |subset| pick(subset, call, &[]));
            picked.map(|picked| (picked, snapshot.revision))
        })
    }

    /// Picks one that was not tried, if one can be called now.
    fn pick_another(&self, call: &Call<'_>, tried: &[Arc<Endpoint>]) -> Option<Picked> {
        self.read(|snapshot| snapshot.with_whole(call, |subset| pick(subset, call, tried)))
    }

    async fn acquire(
        &self,
        // Not changed; a future that holds a shared reference to a call cannot go to another thread.
        call: &mut Call<'_>,
        wait: bool,
        tried: &mut Tried,
    ) -> Result<(Picked, u64), Status> {
        self.until(wait, tried, move |snapshot, tried| {
            let pick = |subset: &Arc<Subset>| {
                pick(subset, call, tried)
                    .map(|picked| (picked, snapshot.revision))
                    .ok_or_else(|| (snapshot.is_hopeful(subset), subset.emptied_by().cloned()))
            };
            if tried.is_empty() {
                snapshot.with_subset(call, pick)
            } else {
                snapshot.with_whole(call, pick)
            }
        })
        .await
    }

    /// Waits for what somebody looks for in the snapshots. He says whether there is hope, and who left nobody.
    async fn until<R>(
        &self,
        wait: bool,
        tried: &mut Tried,
        mut find: impl FnMut(&Snapshot, &[Arc<Endpoint>]) -> Result<R, (bool, Option<Step>)>,
    ) -> Result<R, Status> {
        loop {
            let mut changed = pin!(self.changed().notified());
            // From here on no snapshot is missed.
            changed.as_mut().enable();
            let found = self.read(|snapshot| {
                if wait && tried.revision != snapshot.revision {
                    // Those that refused may have another connection by now.
                    tried.endpoints.clear();
                    tried.revision = snapshot.revision;
                }
                find(snapshot, &tried.endpoints).map_err(|(is_hopeful, emptied_by)| {
                    if snapshot.closed {
                        Some(failure::closed(self.target()))
                    } else if wait || is_hopeful {
                        None
                    } else {
                        Some(failure::no_endpoint(self.target(), snapshot, emptied_by.as_ref()))
                    }
                })
            });
            match found {
                Ok(found) => return Ok(found),
                Err(Some(status)) => return Err(status),
                Err(None) => self.want()?,
            }
            changed.await;
        }
    }
}

#[inline]
fn pick(subset: &Subset, call: &Call<'_>, tried: &[Arc<Endpoint>]) -> Option<Picked> {
    let [first, others @ ..] = subset.endpoints() else {
        return None;
    };
    if others.is_empty() {
        // Nothing to look at, and nothing to compare.
        let endpoint = if tried.iter().any(|other| Arc::ptr_eq(other, first)) {
            subset.pick_farther(tried)?
        } else {
            first
        };
        return Some(Picked {
            endpoint: Arc::clone(endpoint),
            started: None,
            has_choice: subset.has_choice(),
        });
    }
    let now = Instant::now();
    #[allow(clippy::cast_possible_truncation, reason = "attempts are few")]
    let request = PickRequest::new(call, subset.endpoints(), now).with_attempt(tried.len() as u32);
    let endpoint = subset
        .pick(&request, tried)
        .or_else(|| subset.pick_farther(tried))?;
    Some(Picked {
        endpoint: Arc::clone(endpoint),
        started: subset.needs_latency().then_some(now),
        has_choice: true,
    })
}
