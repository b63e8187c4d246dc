//! Cancellation that reaches work which a handler started elsewhere.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::{
    Status,
    status::{Side, reason},
};

/// Tells when a call is given up.
///
/// The token behind it is made when it is first asked for or cloned: most calls never do either, and pay nothing.
#[derive(Debug, Default)]
pub struct Cancellation(OnceLock<CancellationToken>);

impl Cancellation {
    /// True once the call was given up.
    pub fn is_cancelled(&self) -> bool {
        self.0.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// Waits until the call is given up; for ever if it ends well.
    pub async fn cancelled(&self) {
        self.token().cancelled().await;
    }

    /// Runs a future to its end, or until the call is given up.
    pub async fn run_until_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        self.token().run_until_cancelled(future).await
    }

    /// Gives the call up: tasks that were [`spawn`](super::spawn)ed in this context, what runs in
    /// [`run_until_cancelled`](Self::run_until_cancelled), and calls that were given it by
    /// [`Request::with_context`](crate::Request::with_context) end. What else runs in it, by [`Context::scope`](super::Context::scope)
    /// say, only sees that it [is cancelled](Self::is_cancelled).
    pub fn cancel(&self) {
        self.token().cancel();
    }

    /// Gives the call up, if anybody could notice.
    pub(crate) fn cancel_if_watched(&self) {
        if let Some(token) = self.0.get() {
            token.cancel();
        }
    }

    /// The token, if somebody asked for it. Without one, nobody can give the call up by this context.
    pub(crate) fn token_if_made(&self) -> Option<&CancellationToken> {
        self.0.get()
    }

    pub(crate) fn token(&self) -> &CancellationToken {
        self.0.get_or_init(CancellationToken::new)
    }
}

impl Clone for Cancellation {
    fn clone(&self) -> Self {
        Self(OnceLock::from(self.token().clone()))
    }
}

/// What a call ends with whose context was given up.
pub(crate) fn given_up() -> Status {
    Status::cancelled("the context of the call was given up")
        .with_reason(reason::CALLER_GONE)
        .with_domain(reason::DOMAIN)
        .at_side(Side::Client)
}
