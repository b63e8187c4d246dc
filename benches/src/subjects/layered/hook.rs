//! A hook that looks and counts.

use std::sync::atomic::{AtomicU64, Ordering};

use rpc::{
    Call, Result,
    stage::{Hook, Outcome},
};

/// Counts the calls that belong to a lane, and those that fail. There are none.
#[derive(Default)]
pub(super) struct CountHook {
    in_lanes: AtomicU64,
    failed: AtomicU64,
}

impl Hook for CountHook {
    fn before(&self, call: &mut Call<'_>) -> Result<()> {
        if call.context.lane().is_some() {
            self.in_lanes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn after(&self, _: &mut Call<'_>, outcome: Outcome<'_>) {
        if !matches!(outcome, Outcome::Replied(_)) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
