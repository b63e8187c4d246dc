//! Compression, message by message.
//!
//! Whether messages are compressed is a setting of client and server; few users ever look at single messages. Those who
//! do put a [`SendCompressed`] into the extensions of a request or response before it is sent, or look for a
//! [`ReceivedCompressed`] in the extensions of what arrived.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Switches compression on and off for the messages that follow in one direction of one call.
///
/// Put it into the extensions of the [`Request`](super::Request) or [`Response`](super::Response). A transport asks it
/// right after it pulled a message from its stream, so a stream that switches before it yields a message decides over
/// just that one. It has no effect where the peer accepts none of our compressions, and none in process.
#[derive(Debug, Clone)]
pub struct SendCompressed(Arc<AtomicBool>);

impl SendCompressed {
    /// Switched on or off.
    pub fn new(compressed: bool) -> Self {
        Self(Arc::new(AtomicBool::new(compressed)))
    }

    /// Switches it for the messages that follow.
    pub fn set(&self, compressed: bool) {
        self.0.store(compressed, Ordering::Relaxed);
    }

    /// How it is switched.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Tells whether the message that was received last came compressed.
///
/// It is in the extensions of a [`Request`](super::Request) or [`Response`](super::Response) whose sender named a
/// compression; without one, no message can be compressed.
#[derive(Debug, Clone, Default)]
pub struct ReceivedCompressed(Arc<AtomicBool>);

impl ReceivedCompressed {
    /// Before the first message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says it of the message that is being handed over. For transports.
    pub fn set(&self, compressed: bool) {
        self.0.store(compressed, Ordering::Relaxed);
    }

    /// Whether the last message came compressed.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
