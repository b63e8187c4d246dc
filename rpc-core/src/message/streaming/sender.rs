//! The handle that feeds a stream.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll},
};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::Status;

/// Feeds a stream that is being sent. Dropping the last clone ends the stream.
#[derive(Debug)]
pub struct Sender<T>(mpsc::Sender<Result<T, Status>>);

pub(super) fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    (Sender(sender), Receiver(receiver))
}

impl<T> Sender<T> {
    /// Sends a message; waits while the stream has no room.
    ///
    /// # Errors
    /// The message, if nobody reads the stream any more: the call ended.
    ///
    /// # Cancellation
    /// If the future is dropped before it is done, the message was not sent.
    pub async fn send(&self, message: T) -> Result<(), T> {
        match self.0.reserve().await {
            Ok(room) => {
                room.send(Ok(message));
                Ok(())
            }
            Err(_) => Err(message),
        }
    }

    /// Ends the stream with a failure; waits while the stream has no room.
    pub async fn fail(self, status: Status) {
        // Nobody reads it any more: then nobody wants to know either.
        let _ = self.0.send(Err(status)).await;
    }

    /// Waits until nobody reads the stream any more.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

pub(super) struct Receiver<T>(mpsc::Receiver<Result<T, Status>>);

impl<T> Stream for Receiver<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}
