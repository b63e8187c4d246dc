//! The deadline as a stage, and as a tower service.

use std::task::{Context, Poll};

use rpc_core::{
    BoxError, BoxFuture, Call, Deadline, OwnedCall, Reply, Stage, Status, context::Expiry, status::Side,
};
use tower_service::Service;

use super::DeadlinePolicy;

/// Gives each call its deadline and ends it there. See the [module](super).
#[derive(Debug, Clone)]
pub struct Deadlined<S> {
    inner: S,
    policy: DeadlinePolicy,
}

impl<S> Deadlined<S> {
    pub(super) fn new(inner: S, policy: DeadlinePolicy) -> Self {
        Self { inner, policy }
    }

    /// Settles the deadline of a call and tells the layers below.
    fn settle(&self, call: &mut Call<'_>) -> Result<Option<Expiry>, Status> {
        // Only one that came with the call can have passed: the others begin now.
        if call.context.deadline().is_some_and(Deadline::has_passed) {
            // Nothing was sent. That makes it safe to send again, and no more likely to succeed.
            return Err(ours(Expiry::status()).not_processed().with_retryable(false));
        }
        let Some(deadline) = self.policy.effective(call) else {
            return Ok(None);
        };
        call.context = std::mem::take(&mut call.context).with_deadline(deadline);
        Ok(Some(Expiry::new(deadline)))
    }
}

impl<S: Stage> Stage for Deadlined<S> {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let Some(expiry) = self.settle(call)? else {
            return self.inner.call(call).await;
        };
        bounded(expiry, self.inner.call(call)).await
    }
}

impl<S> Service<OwnedCall> for Deadlined<S>
where
    S: Service<OwnedCall, Response = Reply>,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Reply, Status>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.inner
            .poll_ready(cx)
            .map_err(|error| Status::from_error(error.into()))
    }

    fn call(&mut self, mut call: OwnedCall) -> Self::Future {
        let expiry = match self.settle(&mut call) {
            Ok(expiry) => expiry,
            Err(status) => return Box::pin(std::future::ready(Err(status))),
        };
        // Boxed, so that the compiler can tell that it is `Send` without knowing what the call borrows.
        let answer: BoxFuture<'static, Result<Reply, S::Error>> = Box::pin(self.inner.call(call));
        let answer = async move { answer.await.map_err(|error| Status::from_error(error.into())) };
        match expiry {
            Some(expiry) => Box::pin(bounded(expiry, answer)),
            None => Box::pin(answer),
        }
    }
}

/// Runs to the deadline. The reply takes the timer along.
async fn bounded(
    mut expiry: Expiry,
    answer: impl Future<Output = Result<Reply, Status>>,
) -> Result<Reply, Status> {
    let mut expired = true;
    let answer = async {
        let result = answer.await;
        expired = false;
        result
    };
    let result = expiry.run(answer).await;
    match result {
        Ok(mut reply) => {
            reply.expiry = Some(expiry);
            Ok(reply)
        }
        Err(status) if expired => Err(ours(status)),
        Err(status) => Err(status),
    }
}

/// It is we who stop waiting.
fn ours(status: Status) -> Status {
    status.at_side(Side::Client)
}
