//! The handle that feeds a stream.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context as Poller, Poll},
    thread,
};

use atomic_waker::AtomicWaker;
use futures_core::Stream;
use tokio::sync::mpsc;

use crate::Status;

/// Feeds a stream that is being sent.
///
/// Dropping the last clone ends the stream, and says that it is complete: use [`fail`](Self::fail) to end one that is not. If a
/// panic drops a clone, the stream fails with INTERNAL after what was sent.
#[derive(Debug)]
pub struct Sender<T> {
    messages: mpsc::Sender<T>,
    broken: Arc<Broken>,
}

/// Why a stream is not complete, beside its messages: to say so must need no room.
#[derive(Debug, Default)]
struct Broken {
    /// What a clone failed it with. It ends the stream whatever the others do.
    failure: OnceLock<Status>,
    /// Set by a panic that dropped a clone. The others go on.
    panicked: AtomicBool,
    /// Who reads it, and waits.
    reader: AtomicWaker,
}

pub(super) fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let broken = Arc::default();
    let sender = Sender {
        messages: sender,
        broken: Arc::clone(&broken),
    };
    let receiver = Receiver {
        messages: receiver,
        broken,
    };
    (sender, receiver)
}

impl<T> Sender<T> {
    /// Sends a message; waits while the stream has no room.
    ///
    /// # Errors
    /// The message, if nobody reads the stream any more: the call ended, or a clone of the sender failed it.
    ///
    /// # Cancellation
    /// If the future is dropped before it is done, the message was not sent.
    pub async fn send(&self, message: T) -> Result<(), T> {
        match self.messages.reserve().await {
            Ok(room) => {
                room.send(message);
                Ok(())
            }
            Err(_) => Err(message),
        }
    }

    /// Ends the stream with a failure, after what was sent. It needs no room, so it waits for nothing.
    ///
    /// The first failure counts. What other clones send afterwards may be lost.
    pub fn fail(self, status: Status) {
        // A second one ends nothing any more.
        let _ = self.broken.failure.set(status);
        self.broken.reader.wake();
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
            broken: Arc::clone(&self.broken),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // What follows would have been sent: the stream must not look complete.
        if thread::panicking() {
            self.broken.panicked.store(true, Ordering::Release);
        }
    }
}

pub(super) struct Receiver<T> {
    messages: mpsc::Receiver<T>,
    broken: Arc<Broken>,
}

impl<T> Receiver<T> {
    /// Ready with nothing at the end: nobody sends any more, or a clone failed the stream.
    fn poll_sent(&mut self, cx: &mut Poller<'_>) -> Poll<Option<T>> {
        let Self { messages, broken } = self;
        let has_failed = || broken.failure.get().is_some();
        if !has_failed() {
            if let Poll::Ready(message) = messages.poll_recv(cx) {
                return Poll::Ready(message);
            }
            broken.reader.register(cx.waker());
            if !has_failed() {
                return Poll::Pending;
            }
        }
        // What was sent comes first, and what is sent from now on comes never.
        messages.close();
        Poll::Ready(messages.try_recv().ok())
    }
}

impl<T> Stream for Receiver<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        self.poll_sent(cx).map(|message| match message {
            Some(message) => Some(Ok(message)),
            None => self.broken.end().map(Err),
        })
    }
}

impl Broken {
    /// What the stream ends with, if it is not complete. It is asked once: nothing is read after a failure.
    fn end(&self) -> Option<Status> {
        let panicked = || {
            let panicked = self.panicked.load(Ordering::Acquire);
            panicked.then(|| Status::internal("whoever fed the stream panicked"))
        };
        self.failure.get().cloned().or_else(panicked)
    }
}
