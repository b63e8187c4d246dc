//! Learns how an endpoint does from the calls that go there.
//!
//! # Position
//! Right below the pick: what is learnt is of one attempt at one endpoint, whatever is done around it.
//!
//! # Streams
//! A call is in flight until its answer is there. Its latency is that of its head.

use rpc_core::{
    Call, Reply, Status,
    status::{Classify, Verdict},
};
use tokio::time::Instant;
use tower_layer::Layer;

use super::{EndpointStage, Picked};
use crate::endpoint::InFlight;

/// Makes [`Measure`] of an [`EndpointStage`].
#[derive(Debug, Clone, Copy)]
pub struct MeasureLayer {
    classify: Classify,
}

impl MeasureLayer {
    /// Judges by [`Verdict::of`].
    pub fn new() -> Self {
        Self {
            classify: Verdict::of,
        }
    }

    /// Judges otherwise.
    pub fn with_classify(mut self, classify: Classify) -> Self {
        self.classify = classify;
        self
    }
}

impl Default for MeasureLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for MeasureLayer {
    type Service = Measure<S>;

    fn layer(&self, inner: S) -> Measure<S> {
        Measure {
            inner,
            classify: self.classify,
        }
    }
}

/// Counts calls at their endpoint, and tells it how they ended. See the [module](self).
#[derive(Debug, Clone)]
pub struct Measure<S> {
    inner: S,
    classify: Classify,
}

impl<S: EndpointStage> EndpointStage for Measure<S> {
    async fn call(&self, picked: &Picked, call: &mut Call<'_>) -> Result<Reply, Status> {
        let in_flight = InFlight::begin(&*picked.endpoint, picked.started);
        let result = self.inner.call(picked, call).await;
        let verdict = (self.classify)(result.as_ref().map(drop));
        in_flight.end(verdict, Instant::now);
        result
    }
}
