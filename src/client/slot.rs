//! The places where users put their own layers.

use futures_util::future::Either;
use rpc_core::{
    Call, Reply, Result, Stage,
    stage::{SharedStage, UserLayer},
};
use tower_layer::Layer;

/// A place in the stack that holds users' layers, or nothing.
///
/// An empty one is the stage below it, called directly: the box and the owned call that a layer of unknown type needs are
/// paid only where there is one.
pub(super) struct SlotLayer(Vec<UserLayer>);

impl SlotLayer {
    /// The first layer is the outermost.
    pub(super) fn new(layers: Vec<UserLayer>) -> Self {
        Self(layers)
    }
}

impl<S: Stage + 'static> Layer<S> for SlotLayer {
    type Service = Slot<S>;

    fn layer(&self, inner: S) -> Slot<S> {
        if self.0.is_empty() {
            return Slot::Empty(inner);
        }
        Slot::Filled(
            self.0
                .iter()
                .rev()
                .fold(SharedStage::new(inner), |inner, layer| layer.wrap(inner)),
        )
    }
}

pub(super) enum Slot<S> {
    Empty(S),
    Filled(SharedStage),
}

impl<S: Stage> Stage for Slot<S> {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply>> + Send {
        match self {
            Self::Empty(inner) => Either::Left(inner.call(call)),
            Self::Filled(stage) => Either::Right(stage.call(call)),
        }
    }
}
