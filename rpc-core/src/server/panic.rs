//! Panics become statuses.

use std::{
    any::Any,
    future::poll_fn,
    panic::{self, AssertUnwindSafe},
    pin::Pin,
    task::Poll,
};

/// Runs a future; a panic in it is an error. After one, all that is left to do with the future is to drop it.
#[inline]
pub(crate) async fn caught<F: Future>(mut future: Pin<&mut F>) -> Result<F::Output, Box<dyn Any + Send>> {
    poll_fn(|cx| {
        let poll = || future.as_mut().poll(cx);
        match panic::catch_unwind(AssertUnwindSafe(poll)) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}
