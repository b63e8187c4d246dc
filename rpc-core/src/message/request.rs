//! The typed face of a call.

use std::time::Duration;

use crate::{Context, Deadline, Extensions, Metadata, net::Address};

/// A message with what goes with it: metadata, and a deadline of its own.
///
/// On the caller's side it is made with [`Request::new`]; a handler that takes one sees what arrived.
///
/// ```
/// use std::time::Duration;
/// use rpc_core::Request;
///
/// let mut request = Request::new("4711").with_timeout(Duration::from_millis(50));
/// request.metadata_mut().insert("x-tenant", "acme")?;
/// # Ok::<(), rpc_core::metadata::InvalidMetadata>(())
/// ```
#[derive(Debug)]
pub struct Request<T> {
    message: T,
    metadata: Metadata,
    timeout: Option<Duration>,
    wait_for_ready: Option<bool>,
    /// Rarely given; a request is moved a few times.
    context: Option<Box<Context>>,
    peer: Option<Address>,
    extensions: Extensions,
}

impl<T> Request<T> {
    /// A request without metadata.
    pub fn new(message: T) -> Self {
        Self {
            message,
            metadata: Metadata::new(),
            timeout: None,
            wait_for_ready: None,
            context: None,
            peer: None,
            extensions: Extensions::new(),
        }
    }

    /// Bounds this call: it fails with DEADLINE_EXCEEDED if it takes longer. The earlier of this and of the deadline
    /// that the context has counts.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Says whether to wait while no endpoint can be reached, until the deadline, rather than fail at once.
    pub fn with_wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// Gives the call a context other than the current one.
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = Some(Box::new(context));
        self
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

    /// The same request around another message.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Request<U> {
        Request {
            message: f(self.message),
            metadata: self.metadata,
            timeout: self.timeout,
            wait_for_ready: self.wait_for_ready,
            context: self.context,
            peer: self.peer,
            extensions: self.extensions,
        }
    }

    /// Metadata that goes, or came, with the request.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The same, to add to.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.metadata
    }

    /// The timeout that the caller gave this call.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether to wait while no endpoint can be reached; `None` is the client's default.
    pub fn wait_for_ready(&self) -> Option<bool> {
        self.wait_for_ready
    }

    /// The context that the call was given; in a handler, and without one, the current one.
    pub fn context(&self) -> Context {
        match &self.context {
            Some(context) => Context::clone(context),
            None => Context::current(),
        }
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Deadline> {
        match &self.context {
            Some(context) => context.deadline(),
            None => Context::with_current(Context::deadline),
        }
    }

    /// In a handler: the peer's address.
    pub fn peer(&self) -> Option<&Address> {
        self.peer.as_ref()
    }

    /// Values that layers and handlers pass on inside the process.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The same, to add to.
    pub fn extensions_mut(&mut self) -> &mut Extensions {
        &mut self.extensions
    }

    pub(crate) fn arrived(
        message: T,
        metadata: Metadata,
        peer: Option<Address>,
        extensions: Extensions,
    ) -> Self {
        Self {
            message,
            metadata,
            timeout: None,
            wait_for_ready: None,
            context: None,
            peer,
            extensions,
        }
    }

    /// The context that was given to it.
    pub(crate) fn take_context(&mut self) -> Option<Box<Context>> {
        self.context.take()
    }

    pub(crate) fn into_parts(self) -> (T, RequestParts) {
        let parts = RequestParts {
            metadata: self.metadata,
            timeout: self.timeout,
            wait_for_ready: self.wait_for_ready,
            extensions: self.extensions,
        };
        (self.message, parts)
    }
}

impl<T> From<T> for Request<T> {
    fn from(message: T) -> Self {
        Self::new(message)
    }
}

/// A request without its message.
pub(crate) struct RequestParts {
    pub(crate) metadata: Metadata,
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait_for_ready: Option<bool>,
    pub(crate) extensions: Extensions,
}
