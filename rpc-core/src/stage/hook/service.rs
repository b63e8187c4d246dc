//! Hooks as a stage.

use std::fmt;

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
    hooks: &[Box<dyn Hook>],
    inner: &S,
    call: &mut Call<'_>,
) -> Result<Reply, Status> {
    let mut passed = Passed {
        hooks,
        count: 0,
        call,
    };
    for hook in hooks {
        if let Err(status) = hook.before(passed.call) {
            let mut refused = Err(status);
            passed.end(&mut refused);
            return refused;
        }
        passed.count += 1;
    }
    let mut result = inner.call(passed.call).await;
    passed.end(&mut result);
    result
}

/// A call that hooks let pass which are still to be told how it ended.
struct Passed<'h, 'c, 'a> {
    hooks: &'h [Box<dyn Hook>],
    /// How many they are, from the first.
    count: usize,
    call: &'c mut Call<'a>,
}

impl<'h> Passed<'h, '_, '_> {
    /// The last of them, which is not told again, even if it panics.
    #[inline]
    fn pop(&mut self) -> Option<&'h dyn Hook> {
        self.count = self.count.checked_sub(1)?;
        self.hooks.get(self.count).map(|hook| &**hook)
    }

    /// Where the result is: it is large, and would be copied wherever it is passed on to.
    fn end(mut self, result: &mut Result<Reply, Status>) {
        while let Some(hook) = self.pop() {
            let outcome = match result {
                Ok(reply) => Outcome::Replied(reply),
                Err(status) => Outcome::Failed(status),
            };
            hook.after(self.call, outcome);
        }
    }
}

impl Drop for Passed<'_, '_, '_> {
    fn drop(&mut self) {
        while let Some(hook) = self.pop() {
            hook.after(self.call, Outcome::GivenUp);
        }
    }
}
