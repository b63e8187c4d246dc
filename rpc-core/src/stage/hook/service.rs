//! Hooks as a stage.

use std::{fmt, sync::Arc};

use futures_util::future::Either;

use super::{Hook, HookList, Outcome};
use crate::{Call, Reply, Stage, Status};

/// A stage with hooks in front of it. Without any it is the stage itself.
#[derive(Clone)]
pub struct Hooks<S> {
    inner: S,
    hooks: HookList,
}

impl<S> Hooks<S> {
    pub(crate) fn new(inner: S, hooks: HookList) -> Self {
        Self { inner, hooks }
    }
}

impl<S: Stage> Stage for Hooks<S> {
    fn call(&self, call: &mut Call<'_>) -> impl Future<Output = Result<Reply, Status>> + Send {
        if self.hooks.is_empty() {
            Either::Left(self.inner.call(call))
        } else {
            Either::Right(hooked(&self.hooks, &self.inner, call))
        }
    }
}

impl<S> fmt::Debug for Hooks<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hooks({})", self.hooks.len())
    }
}

/// Takes a call through hooks to a stage and back.
pub(crate) async fn hooked<S: Stage>(
    hooks: &[Arc<dyn Hook>],
    inner: &S,
    call: &mut Call<'_>,
) -> Result<Reply, Status> {
    let mut passed = Passed { hooks: &[], call };
    for (index, hook) in hooks.iter().enumerate() {
        if let Err(status) = hook.before(passed.call) {
            return passed.end(Err(status));
        }
        passed.hooks = &hooks[..=index];
    }
    let result = inner.call(passed.call).await;
    passed.end(result)
}

/// The hooks that let a call pass and are still to be told how it ended.
struct Passed<'h, 'c, 'a> {
    hooks: &'h [Arc<dyn Hook>],
    call: &'c mut Call<'a>,
}

impl Passed<'_, '_, '_> {
    fn end(mut self, mut result: Result<Reply, Status>) -> Result<Reply, Status> {
        while let Some((hook, outer)) = self.hooks.split_last() {
            // Taken off first: one that panics is not told again.
            self.hooks = outer;
            let outcome = match &mut result {
                Ok(reply) => Outcome::Replied(reply),
                Err(status) => Outcome::Failed(status),
            };
            hook.after(self.call, outcome);
        }
        result
    }
}

impl Drop for Passed<'_, '_, '_> {
    fn drop(&mut self) {
        while let Some((hook, outer)) = self.hooks.split_last() {
            self.hooks = outer;
            hook.after(self.call, Outcome::GivenUp);
        }
    }
}
