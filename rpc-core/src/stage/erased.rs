//! A stage whose type is forgotten.

use std::{fmt, sync::Arc};

use super::Stage;
use crate::{Call, CallFuture, Reply, Status};

/// A [`Stage`] behind a pointer: the object-safe twin, which costs one [`CallFuture`] a call.
pub trait ErasedStage: Send + Sync {
    /// Answers the call.
    fn call_erased<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a>;
}

impl<S: Stage> ErasedStage for S {
    fn call_erased<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
        CallFuture::made(|| self.call(call))
    }
}

/// A stage that was erased, and is a stage again.
#[derive(Clone)]
pub struct SharedStage(Arc<dyn ErasedStage>);

impl SharedStage {
    /// Erases a stage.
    pub fn new(stage: impl Stage + 'static) -> Self {
        Self(Arc::new(stage))
    }

    /// The same as [`Stage::call`], without a future of its own around the box.
    pub(crate) fn call_boxed<'a>(&'a self, call: &'a mut Call<'_>) -> CallFuture<'a> {
        self.0.call_erased(call)
    }
}

impl Stage for SharedStage {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        self.0.call_erased(call).await
    }
}

impl fmt::Debug for SharedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedStage")
    }
}

const _: () = {
    const fn is_shared<T: Send + Sync + Clone>() {}
    /// It can be an object.
    const fn is_object(_: Option<&dyn ErasedStage>) {}

    is_shared::<SharedStage>();
    is_object(None);
};
