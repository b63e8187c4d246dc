//! The handle that feeds a stream.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Poller, Poll, ready},
    thread,
};

use futures_core::Stream;
use tokio::sync::mpsc;

use crate::Status;

/// Feeds a stream that is being sent.
///
/// Dropping the last clone ends the stream, and says that it is complete: use [`fail`](Self::fail) to end one that is not. If a
/// panic drops a clone, the stream fails with INTERNAL after what was sent.
#[derive(Debug)]
pub struct Sender<T> {
    messages: mpsc::Sender<Result<T, Status>>,
    /// Set by a panic that dropped a clone.
    panicked: Arc<AtomicBool>,
}

pub(super) fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let panicked = Arc::new(AtomicBool::new(false));
    let sender = Sender {
        messages: sender,
        panicked: Arc::clone(&panicked),
    };
    let receiver = Receiver {
        messages: receiver,
        panicked,
    };
    (sender, receiver)
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
        match self.messages.reserve().await {
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
        let _ = self.messages.send(Err(status)).await;
    }

    /// Waits until nobody reads the stream any more.
    pub async fn closed(&self) {
        self.messages.closed().await;
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            messages: self.messages.clone(),
            panicked: Arc::clone(&self.panicked),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // What follows would have been sent: the stream must not look complete.
        if thread::panicking() {
            self.panicked.store(true, Ordering::Release);
        }
    }
}

pub(super) struct Receiver<T> {
    messages: mpsc::Receiver<Result<T, Status>>,
    panicked: Arc<AtomicBool>,
}

impl<T> Stream for Receiver<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(self.messages.poll_recv(cx));
        let broke_off = message.is_none() && self.panicked.swap(false, Ordering::Acquire);
        Poll::Ready(if broke_off {
            Some(Err(Status::internal("whoever fed the stream panicked")))
        } else {
            message
        })
    }
}
