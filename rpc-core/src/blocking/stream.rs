//! Streams of a blocking caller: an iterator to receive, a handle to send.

use std::fmt;

use super::Blocking;
use crate::{Metadata, Status, Streaming, message::Sender};

/// A stream that is received, as an iterator: each step waits for the next message.
///
/// After an error and after the end it stays at the end. Read inside of async code it fails, with reason `BLOCKING_IN_ASYNC`,
/// and is given up.
#[must_use = "a stream does nothing unless it is read"]
pub struct Messages<T: 'static> {
    /// Taken when it is given up.
    stream: Option<Streaming<T>>,
    blocking: Blocking,
}

impl<T: 'static> Messages<T> {
    /// Of a stream that arrives.
    pub fn new(stream: Streaming<T>, blocking: &Blocking) -> Self {
        Self {
            stream: Some(stream),
            blocking: blocking.clone(),
        }
    }

    fn give_up(&mut self) {
        // It may start work that needs the runtime.
        self.blocking.enter(|| drop(self.stream.take()));
    }
}

impl<T: Send + 'static> Messages<T> {
    /// Metadata that came after the last message; `None` once the stream was given up.
    pub fn trailers(&self) -> Option<&Metadata> {
        self.stream.as_ref().map(Streaming::trailers)
    }
}

impl<T: Send + 'static> Iterator for Messages<T> {
    type Item = Result<T, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = self.stream.as_mut()?;
        match self.blocking.run(stream.message()) {
            Ok(message) => message.transpose(),
            Err(status) => {
                self.give_up();
                Some(Err(status))
            }
        }
    }
}

impl<T: 'static> Drop for Messages<T> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<T: 'static> fmt::Debug for Messages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Messages").field(&self.stream).finish()
    }
}

/// Feeds a stream that is being sent, from a thread. Dropping the last clone ends the stream.
#[derive(Debug, Clone)]
pub struct BlockingSender<T> {
    pub(super) sender: Sender<T>,
    pub(super) blocking: Blocking,
}

impl<T: Send + 'static> BlockingSender<T> {
    /// Sends a message; waits while the stream has no room.
    ///
    /// # Errors
    /// `CANCELLED` if nobody reads the stream any more, as the call ended; and that of [`Blocking::run`].
    pub fn send(&self, message: T) -> Result<(), Status> {
        let sent = self.blocking.run(self.sender.send(message))?;
        sent.map_err(|_| Status::cancelled("nobody reads this stream any more: its call ended"))
    }

    /// Ends the stream with a failure, after what was sent: see [`Sender::fail`].
    pub fn fail(self, status: Status) {
        self.sender.fail(status);
    }
}
