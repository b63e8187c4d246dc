//! Cancellation that reaches work which a handler started elsewhere.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

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

    /// Gives the call up, and with it all work that carries this context.
    pub fn cancel(&self) {
        self.token().cancel();
    }

    /// Cancels when it is dropped, unless [`disarm`](CancelGuard::disarm)ed: dispatch holds one while a handler runs.
    pub fn guard(&self) -> CancelGuard<'_> {
        CancelGuard(Some(self))
    }

    fn token(&self) -> &CancellationToken {
        self.0.get_or_init(CancellationToken::new)
    }
}

impl Clone for Cancellation {
    fn clone(&self) -> Self {
        Self(OnceLock::from(self.token().clone()))
    }
}

/// Cancels when it is dropped.
#[derive(Debug)]
#[must_use = "dropping the guard cancels"]
pub struct CancelGuard<'a>(Option<&'a Cancellation>);

impl CancelGuard<'_> {
    /// The work is done: nothing is cancelled.
    pub fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelGuard<'_> {
    fn drop(&mut self) {
        // Nobody asked for a token: nobody listens.
        if let Some(token) = self.0.and_then(|cancellation| cancellation.0.get()) {
            token.cancel();
        }
    }
}
