//! The pick as a tower layer.

use tower_layer::Layer;

use super::Pick;
use crate::Endpoints;

/// Puts the choice of an endpoint in front of an [`EndpointStage`](super::EndpointStage).
#[derive(Debug, Clone)]
pub struct PickLayer {
    endpoints: Endpoints,
    wait_for_ready: bool,
}

impl PickLayer {
    /// Chooses among these endpoints.
    pub fn new(endpoints: Endpoints) -> Self {
        Self {
            endpoints,
            wait_for_ready: false,
        }
    }

    /// What counts for calls that do not say whether they wait until an endpoint is ready. Default: they do not.
    pub fn with_wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = wait;
        self
    }
}

impl<S> Layer<S> for PickLayer {
    type Service = Pick<S>;

    fn layer(&self, inner: S) -> Pick<S> {
        Pick::new(inner, self.endpoints.clone(), self.wait_for_ready)
    }
}
