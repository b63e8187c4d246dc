//! A stage that looks and counts.

use std::sync::atomic::{AtomicU64, Ordering};

use rpc::{Call, Reply, Result, Stage};

/// Counts the calls that belong to a lane. There are none.
pub(super) struct CountStage<S> {
    inner: S,
    in_lanes: AtomicU64,
}

impl<S> CountStage<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            in_lanes: AtomicU64::new(0),
        }
    }
}

impl<S: Stage> Stage for CountStage<S> {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply>> + Send {
        if call.context.lane().is_some() {
            self.in_lanes.fetch_add(1, Ordering::Relaxed);
        }
        self.inner.call(call)
    }
}
