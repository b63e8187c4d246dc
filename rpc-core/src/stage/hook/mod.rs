//! Hooks: what only looks at a call, or refuses it, without a future of its own.
//!
//! # Why
//! A tower layer of unknown type costs a box and a call that owns what it carries. Most of what people put around calls,
//! counting, marking, refusing, waits for nothing. Such a thing is a [`Hook`]: two plain functions. All hooks of a place
//! share one future, which is a part of the stack's, so that a call passes through them without any allocation.
//!
//! # Order
//! [`before`](Hook::before) runs from the first hook to the last, [`after`](Hook::after) from the last to the first. A hook
//! whose `before` refused is not asked afterwards; those that had let the call pass are told of the refusal.

mod layer;
mod service;

use std::sync::Arc;

use crate::{Call, Reply, Status};

pub(crate) use self::service::hooked;
pub use self::{layer::HooksLayer, service::Hooks};

/// Looks at calls on their way in and on their way out.
///
/// Neither function may block: they run where the call is polled. State that belongs to one call goes into its
/// [`extensions`](Call::extensions).
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use rpc_core::{Call, stage::{Hook, Outcome}};
///
/// /// Counts the calls that failed.
/// #[derive(Default)]
/// struct Failures(AtomicU64);
///
/// impl Hook for Failures {
///     fn after(&self, _: &mut Call<'_>, outcome: Outcome<'_>) {
///         if let Outcome::Failed(_) = outcome {
///             self.0.fetch_add(1, Ordering::Relaxed);
///         }
///     }
/// }
/// ```
pub trait Hook: Send + Sync + 'static {
    /// Before the call is passed on. May change it.
    ///
    /// # Errors
    /// A status refuses the call: nothing below sees it.
    fn before(&self, call: &mut Call<'_>) -> Result<(), Status> {
        let _ = call;
        Ok(())
    }

    /// After it, exactly once for each call that [`before`](Self::before) let pass. What the call carried may be gone by
    /// then.
    fn after(&self, call: &mut Call<'_>, outcome: Outcome<'_>) {
        let _ = (call, outcome);
    }
}

/// How a call ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome<'r> {
    /// With a reply, whose streams are yet to be read.
    Replied(&'r mut Reply),
    /// With a failure.
    Failed(&'r mut Status),
    /// Its future was dropped: the caller went away, or the deadline passed.
    GivenUp,
}

/// Hooks in the order in which a call meets them.
pub type HookList = Arc<[Box<dyn Hook>]>;
