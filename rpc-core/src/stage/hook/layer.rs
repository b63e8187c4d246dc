//! Hooks as a tower layer.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{Hook, HookList, Hooks};

/// Puts hooks in front of a stage. See [`Hook`].
#[derive(Clone, Default)]
pub struct HooksLayer(HookList);

impl HooksLayer {
    /// The first hook is the outermost.
    pub fn new(hooks: impl IntoIterator<Item = Box<dyn Hook>>) -> Self {
        Self(hooks.into_iter().collect())
    }
}

impl<S> Layer<S> for HooksLayer {
    type Service = Hooks<S>;

    fn layer(&self, inner: S) -> Hooks<S> {
        Hooks::new(inner, Arc::clone(&self.0))
    }
}

impl fmt::Debug for HooksLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HooksLayer({})", self.0.len())
    }
}
