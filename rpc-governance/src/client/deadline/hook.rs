//! The deadline as a hook.

use rpc_core::{
    Call, Status,
    stage::{Hook, Outcome},
};

use super::{
    DeadlinePolicy,
    policy::{is_unclaimed, ours},
};

/// Gives each call its deadline where it comes by, and leaves it to others to end the call there: for a place above layers
/// that it bounds as well, and that may pass a call on several times. See the [module](super).
#[derive(Debug, Clone, Default)]
pub struct DeadlineHook {
    policy: DeadlinePolicy,
}

impl DeadlineHook {
    /// With a policy.
    pub const fn new(policy: DeadlinePolicy) -> Self {
        Self { policy }
    }
}

impl Hook for DeadlineHook {
    fn before(&self, call: &mut Call<'_>) -> Result<(), Status> {
        if let Some(deadline) = self.policy.settle(call)? {
            call.context = std::mem::take(&mut call.context).with_deadline(deadline);
        }
        Ok(())
    }

    /// The layers below it are ended by the same deadline, and do not know whose it is.
    fn after(&self, _: &mut Call<'_>, outcome: Outcome<'_>) {
        if let Outcome::Failed(status) = outcome
            && is_unclaimed(status)
        {
            *status = ours(status.clone());
        }
    }
}
