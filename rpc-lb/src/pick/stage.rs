//! What is below the pick.

use std::sync::Arc;

use futures_util::future::Either;
use rpc_core::{Call, Reply, Stage, Status};
use tokio::time::Instant;

use crate::Endpoint;

/// What was chosen for a call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Picked {
    /// The endpoint.
    pub endpoint: Arc<Endpoint>,
    /// When it was chosen, if anybody needs to know how long the call takes.
    pub started: Option<Instant>,
    /// There were others, be it only that they are sick or farther away.
    pub has_choice: bool,
}

/// One step below the pick: it knows which endpoint was chosen.
///
/// The endpoint is an argument rather than an entry of the call's extensions, which would cost an allocation a call and a
/// look-up in each step.
pub trait EndpointStage: Send + Sync {
    /// Answers a call at an endpoint.
    fn call<'a>(
        &'a self,
        picked: &'a Picked,
        call: &'a mut Call<'_>,
    ) -> impl Future<Output = Result<Reply, Status>> + Send;
}

/// The last step: hands the call to the endpoint's link.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToLink;

impl EndpointStage for ToLink {
    fn call<'a>(
        &'a self,
        picked: &'a Picked,
        call: &'a mut Call<'_>,
    ) -> impl Future<Output = Result<Reply, Status>> + Send {
        let link = picked.endpoint.link();
        match link.in_process() {
            Some(local) => Either::Left(local.call(call)),
            None => Either::Right(link.call(call)),
        }
    }
}
