//! The deadline as a stage, and as a tower service.

use std::{
    pin::pin,
    task::{Context, Poll},
};

use rpc_core::{
    BoxError, BoxFuture, Call, Deadline, OwnedCall, Reply, Stage, Status,
    context::{DeadlineQueue, Expiry},
};
use tower_service::Service;

use super::{
    DeadlinePolicy,
    policy::{is_unclaimed, ours},
};

/// Gives each call its deadline and ends it there. See the [module](super).
#[derive(Debug, Clone)]
pub struct Deadlined<S> {
    inner: S,
    policy: DeadlinePolicy,
    queue: DeadlineQueue,
}

impl<S> Deadlined<S> {
    pub(super) fn new(inner: S, policy: DeadlinePolicy) -> Self {
        Self {
            inner,
            policy,
            queue: DeadlineQueue::new(),
        }
    }
}

impl<S: Stage> Stage for Deadlined<S> {
    async fn call(&self, call: &mut Call<'_>) -> Result<Reply, Status> {
        let Some(deadline) = self.policy.settle(call)? else {
            return self.inner.call(call).await;
        };
        let mut call = call.keep_deadline(deadline);
        // Where it stays: it is large, and would be copied into what bounds it.
        let answer = pin!(self.inner.call(&mut call));
        let mut answer = pin!(self.queue.within(deadline, answer));
        let result = answer.as_mut().await;
        ended(result, deadline, &self.queue, answer.has_expired())
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
        let deadline = match self.policy.settle(&call) {
            Ok(deadline) => deadline,
            Err(status) => return Box::pin(std::future::ready(Err(status))),
        };
        if let Some(deadline) = deadline {
            call.context = std::mem::take(&mut call.context).with_deadline(deadline);
        }
        // Boxed, so that the compiler can tell that it is `Send` without knowing what the call borrows.
        let answer: BoxFuture<'static, Result<Reply, S::Error>> = Box::pin(self.inner.call(call));
        let answer = async move { answer.await.map_err(|error| Status::from_error(error.into())) };
        match deadline {
            Some(deadline) => {
                let queue = self.queue.clone();
                Box::pin(async move {
                    let mut answer = pin!(queue.within(deadline, answer));
                    let result = answer.as_mut().await;
                    ended(result, deadline, &queue, answer.has_expired())
                })
            }
            None => Box::pin(answer),
        }
    }
}

/// How a call ended that ran to its deadline. What is left of that bounds the rest of a reply that is yet to arrive.
#[inline]
fn ended(
    mut result: Result<Reply, Status>,
    deadline: Deadline,
    queue: &DeadlineQueue,
    has_expired: bool,
) -> Result<Reply, Status> {
    // Where it is: a reply is large, and each move of it copies all of it.
    match &mut result {
        Ok(reply) => {
            if reply.body.is_arriving() {
                reply.expiry = Some(Box::new(Expiry::queued(deadline, queue)));
            }
            result
        }
        // What waits below has timers of its own, which may be looked at first.
        Err(status) if has_expired || is_unclaimed(status) => result.map_err(ours),
        Err(_) => result,
    }
}
