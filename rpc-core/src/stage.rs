//! One step of a pipeline.
//!
//! # Why not `tower::Service` all the way
//! `tower::Service::call` wants `&mut self`, so a stack that many calls share must be cloned for each; cloning all layers
//! costs more than running them. A [`Stage`] takes `&self` and a *borrowed* call: state is shared, nothing is cloned, and
//! a typed request stays where the stub put it. Composition is still tower's: every layer of ours is a `tower::Layer`, a
//! stack is a `ServiceBuilder`, and each stage is a `tower::Service<OwnedCall>` too, through [`Owned`].
//!
//! Users' layers are plain tower ones. [`UserLayer`] makes a stage of one: it owns the call before it passes it in, and
//! drives its clone to ready inside `call`, so that a layer which reserves in `poll_ready` keeps its contract. The price,
//! a box and an owned call, is paid only where one is installed. What never waits can be a [`Hook`] and costs neither.

mod erased;
mod hook;
mod owned;
mod user;

pub(crate) use self::hook::hooked;
use crate::{Call, Reply, Status};

pub use self::{
    erased::{ErasedStage, SharedStage},
    hook::{Hook, HookList, Hooks, HooksLayer, Outcome},
    owned::Owned,
    user::{CallService, UserLayer},
};

/// One step of a pipeline: answers a call, or changes it and passes it on.
///
/// ```
/// use rpc_core::{Call, Reply, Result, Stage};
///
/// /// Adds a header to each call.
/// struct Tenant<S>(S);
///
/// impl<S: Stage> Stage for Tenant<S> {
///     async fn call(&self, call: &mut Call<'_>) -> Result<Reply> {
///         call.metadata.insert("x-tenant", "acme").expect("the key is legal");
///         self.0.call(call).await
///     }
/// }
/// ```
pub trait Stage: Send + Sync {
    /// Answers the call.
    ///
    /// # Cancellation
    /// Dropping the future gives the call up, on the wire as well.
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send;
}

impl<S: Stage + ?Sized> Stage for std::sync::Arc<S> {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        S::call(self, call)
    }
}

impl<S: Stage + ?Sized> Stage for &S {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        S::call(self, call)
    }
}
