//! A stage as a tower service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_service::Service;

use super::Stage;
use crate::{BoxFuture, OwnedCall, Reply, Status};

/// Makes a `tower::Service<OwnedCall>` of a stage, so that it works alone in anybody's tower stack.
#[derive(Debug)]
pub struct Owned<S>(Arc<S>);

impl<S> Owned<S> {
    /// The service of a stage. Clones share the stage.
    pub fn new(stage: S) -> Self {
        Self(Arc::new(stage))
    }
}

impl<S> Clone for Owned<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Stage + 'static> Service<OwnedCall> for Owned<S> {
    type Response = Reply;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Reply, Status>>;

    /// Always ready: waiting and shedding happen inside `call`, where they can see the deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: OwnedCall) -> Self::Future {
        let stage = Arc::clone(&self.0);
        Box::pin(async move { stage.call(&mut call).await })
    }
}
