//! The deadline as a tower layer.

use tower_layer::Layer;

use super::{DeadlinePolicy, Deadlined};

/// Gives each call its deadline and ends it there. See the [module](super).
#[derive(Debug, Clone, Default)]
pub struct DeadlineLayer {
    policy: DeadlinePolicy,
}

impl DeadlineLayer {
    /// With a policy.
    pub const fn new(policy: DeadlinePolicy) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadlined<S>;

    fn layer(&self, inner: S) -> Deadlined<S> {
        Deadlined::new(inner, self.policy.clone())
    }
}
