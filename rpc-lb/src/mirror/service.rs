//! Mirroring as a stage.

use std::{future::Future, sync::Arc};

use rpc_core::{Call, Reply, Stage, Status};

use super::state::Shared;

/// Copies calls by rule. See the [module](super).
pub struct Mirror<S> {
    inner: S,
    shared: Option<Arc<Shared>>,
}

impl<S> Mirror<S> {
    pub(super) fn new(inner: S, shared: Option<Arc<Shared>>) -> Self {
        Self { inner, shared }
    }
}

impl<S: Stage> Stage for Mirror<S> {
    #[inline]
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        if let Some(shared) = &self.shared {
            shared.mirror(call);
        }
        self.inner.call(call)
    }
}
