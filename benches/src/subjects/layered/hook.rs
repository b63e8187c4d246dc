//! A stage that looks and counts.

use std::sync::atomic::{AtomicU64, Ordering};

use rpc::{Call, Reply, Result, Stage};

/// Counts the calls that belong to a lane. There are none.
pub(super) struct Hook<S> {
    inner: S,
    passed: AtomicU64,
    in_lanes: AtomicU64,
}

impl<S> Hook<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            passed: AtomicU64::new(0),
            in_lanes: AtomicU64::new(0),
        }
    }
}

impl<S: Stage> Stage for Hook<S> {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply>> + Send {
        self.passed.fetch_add(1, Ordering::Relaxed);
        if call.context.lane().is_some() {
            self.in_lanes.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.call(call)
    }
}
