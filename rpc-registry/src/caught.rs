//! Panics of somebody's registry.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
};

use crate::Fault;

/// What is wrong with a registry's code is no reason to end what announces or follows: it is an exchange that failed.
pub(crate) async fn caught<T>(exchange: impl Future<Output = T>) -> Result<T, Fault> {
    let mut exchange = pin!(exchange);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| exchange.as_mut().poll(cx)));
        polled.map_or_else(
            |_| {
                tracing::error!("a registry panicked");
                Poll::Ready(Err(Fault::transient("the registry panicked")))
            },
            |ready| ready.map(Ok),
        )
    })
    .await
}
