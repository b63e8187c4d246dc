//! Gives requests a number of their own, where a router goes by it.

use std::future::Future;

use rpc_core::{Call, Reply, Stage, Status, matcher::RequestKey};
use tower_layer::Layer;

/// Gives each request a [`RequestKey`], if that is needed.
///
/// # Position
/// Above whatever tries again: all attempts of a call have the same number, so that a share of the requests is one of calls,
/// and not of attempts.
#[derive(Debug, Clone, Copy)]
pub struct DrawKeyLayer {
    is_needed: bool,
}

impl DrawKeyLayer {
    /// Draws numbers if they are needed.
    pub fn new(is_needed: bool) -> Self {
        Self { is_needed }
    }
}

impl<S> Layer<S> for DrawKeyLayer {
    type Service = DrawKey<S>;

    fn layer(&self, inner: S) -> DrawKey<S> {
        DrawKey {
            inner,
            is_needed: self.is_needed,
        }
    }
}

/// Gives each request a number. See [`DrawKeyLayer`].
#[derive(Debug, Clone)]
pub struct DrawKey<S> {
    inner: S,
    is_needed: bool,
}

impl<S: Stage> Stage for DrawKey<S> {
    #[inline]
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        if self.is_needed {
            RequestKey::draw(call);
        }
        self.inner.call(call)
    }
}
