//! The typed face of a reply.

use crate::{Extensions, Metadata, load::TRAILER, metadata::MetadataValue};

/// A message with what goes with it: metadata before and after it.
#[derive(Debug)]
pub struct Response<T> {
    message: T,
    metadata: Metadata,
    trailers: Metadata,
    extensions: Extensions,
    /// What its trailers said of load when a channel returned it: that is of the server that answered. Boxed, as most say
    /// nothing, and all are moved.
    report: Option<Box<MetadataValue>>,
}

impl<T> Response<T> {
    /// A response without metadata.
    pub fn new(message: T) -> Self {
        Self {
            message,
            metadata: Metadata::new(),
            trailers: Metadata::new(),
            extensions: Extensions::new(),
            report: None,
        }
    }

    /// The message.
    pub fn message(&self) -> &T {
        &self.message
    }

    /// The message, to change.
    pub fn message_mut(&mut self) -> &mut T {
        &mut self.message
    }

    /// The message alone.
    pub fn into_inner(self) -> T {
        self.message
    }

    /// The same response around another message.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Response<U> {
        Response {
            message: f(self.message),
            metadata: self.metadata,
            trailers: self.trailers,
            extensions: self.extensions,
            report: self.report,
        }
    }

    /// Metadata that goes, or came, before the message.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same, to add to.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// Metadata that goes, or came, after the message. A handler that passes on what a channel returned passes it on, too, but
    /// for the [load report](crate::load::TRAILER) of the server that answered. Of a stream that is received see
    /// [`Streaming::trailers`](super::Streaming::trailers).
    pub fn trailers(&self) -> &Metadata {
        &self.trailers
    }

    /// The same, to add to.
    pub fn trailers_mut(&mut self) -> &mut Metadata {
        &mut self.trailers
    }

    /// Values that layers pass on inside the process.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The same, to add to.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    /// What a channel returns.
    pub(crate) fn received(
        message: T,
        metadata: Metadata,
        trailers: Metadata,
        extensions: Extensions,
    ) -> Self {
        // Most have none, and need not be searched.
        let report = if trailers.is_empty() {
            None
        } else {
            trailers.get_all(TRAILER).next().cloned().map(Box::new)
        };
        Self {
            message,
            metadata,
            trailers,
            extensions,
            report,
        }
    }

    /// What a handler answers with: message, metadata, trailers and extensions.
    pub(crate) fn into_parts(mut self) -> (T, Metadata, Metadata, Extensions) {
        if self.report.is_some() && self.trailers.get_all(TRAILER).next() == self.report.as_deref() {
            self.trailers.remove(TRAILER);
        }
        (self.message, self.metadata, self.trailers, self.extensions)
    }
}

impl<T> From<T> for Response<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}
