//! What a transport holds of a server: the pipeline and the router at its end.

use std::sync::Arc;

use super::Router;
use crate::{Body, Call, Context, Method, Reply, Stage, Status, stage::SharedStage};

/// A server's pipeline. Clones share it.
#[derive(Clone)]
pub struct Dispatch {
    router: Arc<Router>,
    pipeline: Option<SharedStage>,
}

impl Dispatch {
    /// A router without a pipeline in front of it.
    pub fn new(router: Arc<Router>) -> Self {
        Self { router, pipeline: None }
    }

    /// Puts stages in front of the router; `wrap` gets the router as the innermost one.
    pub fn with_pipeline(router: Arc<Router>, wrap: impl FnOnce(Arc<Router>) -> SharedStage) -> Self {
        let pipeline = wrap(Arc::clone(&router));
        Self { router, pipeline: Some(pipeline) }
    }

    /// The services behind it.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Makes the call of a path. A path that no service has makes one too: the pipeline sees it, the router refuses it.
    pub fn accept<'a>(
        &self,
        path: &str,
        codec: impl Into<std::borrow::Cow<'static, str>>,
        context: Context,
        body: Body<'a>,
    ) -> Call<'a> {
        let (method, slot) = match self.router.find(path) {
            Some((method, slot)) => (method, Some(slot)),
            None => (Method::unknown(path), None),
        };
        let mut call = Call::new(method, codec, body);
        call.context = context;
        call.slot = slot;
        call
    }

    /// Answers a call. Its failure is as the caller shall see it.
    ///
    /// # Errors
    /// What the pipeline refused, or what the handler returned.
    pub async fn answer(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        match &self.pipeline {
            Some(pipeline) => pipeline.call(call).await,
            None => self.router.call(call).await,
        }
    }
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.router.services().map(crate::ServiceDescriptor::name)).finish()
    }
}
