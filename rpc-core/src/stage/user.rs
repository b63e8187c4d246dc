//! A user's tower layer as a stage.

use std::{future::poll_fn, pin::Pin};

use tower_layer::Layer;
use tower_service::Service;

use super::{Owned, SharedStage, Stage};
use crate::{BoxError, Call, OwnedCall, Reply, Status, context::until};

/// What a user's layer wraps: the rest of the pipeline as a tower service.
pub type CallService = Owned<SharedStage>;

/// A slot of the pipeline that holds a user's layer, or nothing.
///
/// Any `tower::Layer` over [`CallService`] fits whose service takes an [`OwnedCall`], answers with a [`Reply`], and can
/// be cloned. Its error becomes a [`Status`]: itself where it is one, else UNKNOWN with it as source. The call's deadline
/// bounds what the layer does, waiting to be ready included.
pub struct UserLayer(Box<dyn Fn(SharedStage) -> SharedStage + Send + Sync>);

impl UserLayer {
    /// A slot with a layer in it.
    pub fn new<L>(layer: L) -> Self
    where
        L: Layer<CallService> + Send + Sync + 'static,
        L::Service: Service<OwnedCall, Response = Reply> + Clone + Send + Sync + 'static,
        <L::Service as Service<OwnedCall>>::Error: Into<BoxError> + 'static,
        <L::Service as Service<OwnedCall>>::Future: Send + 'static,
    {
        Self(Box::new(move |inner| {
            SharedStage::new(UserStage {
                service: layer.layer(Owned::new(inner)),
            })
        }))
    }

    /// Wraps the rest of the pipeline.
    pub fn wrap(&self, inner: SharedStage) -> SharedStage {
        (self.0)(inner)
    }
}

impl std::fmt::Debug for UserLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserLayer")
    }
}

struct UserStage<S> {
    service: S,
}

impl<S> Stage for UserStage<S>
where
    S: Service<OwnedCall, Response = Reply> + Clone + Send + Sync,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        // A clone has no reservation of its own: the one that will be called is the one that is made ready.
        let service = self.service.clone();
        let deadline = call.context.deadline();
        let owned = call.take_owned();
        // By a timer of its own: a layer may poll the call in another task, where nobody hears by whom that one is woken, or give
        // it up and go on waiting.
        until(deadline, answer(service, owned)).await
    }
}

async fn answer<S>(mut service: S, call: OwnedCall) -> Result<Reply, Status>
where
    S: Service<OwnedCall, Response = Reply>,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    poll_fn(|cx| service.poll_ready(cx))
        .await
        .map_err(|error| Status::from_error(error.into()))?;
    // Boxed, so that the compiler can tell that it is `Send` without knowing what the call borrows.
    let answer: Pin<Box<dyn Future<Output = Result<Reply, S::Error>> + Send>> = Box::pin(service.call(call));
    answer.await.map_err(|error| Status::from_error(error.into()))
}
