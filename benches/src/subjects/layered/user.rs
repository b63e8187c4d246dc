//! The same as a tower layer of a user's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use rpc::OwnedCall;
use tower_layer::Layer;
use tower_service::Service;

/// Makes [`Count`]s.
pub(super) struct CountLayer;

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count {
            inner,
            passed: Arc::default(),
        }
    }
}

/// Counts the calls that pass.
#[derive(Clone)]
pub(super) struct Count<S> {
    inner: S,
    passed: Arc<AtomicU64>,
}

impl<S: Service<OwnedCall>> Service<OwnedCall> for Count<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: OwnedCall) -> S::Future {
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.inner.call(call)
    }
}
