//! What is below the pick.

use std::sync::Arc;

use rpc_core::{Call, Reply, Stage, Status};

use crate::Endpoint;

/// One step below the pick: it knows which endpoint was chosen.
///
/// The endpoint is an argument rather than an entry of the call's extensions, which would cost an allocation a call and a
/// look-up in each step.
pub trait EndpointStage: Send + Sync {
    /// Answers a call at an endpoint.
    fn call(
        &self,
        endpoint: &Arc<Endpoint>,
        call: &mut Call<'_>,
    ) -> impl Future<Output = Result<Reply, Status>> + Send;
}

/// The last step: hands the call to the endpoint's link.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToLink;

impl EndpointStage for ToLink {
    async fn call(&self, endpoint: &Arc<Endpoint>, call: &mut Call<'_>) -> Result<Reply, Status> {
        match endpoint.link().in_process() {
            Some(local) => local.call(call).await,
            None => endpoint.link().call(call).await,
        }
    }
}
