//! What flows through the pipelines: a call on its way in, a reply on its way out.

use std::{
    any::Any,
    borrow::Cow,
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use crate::{
    Body, Context, Deadline, Metadata, Method,
    context::Expiry,
    message::{Place, Tie},
    net::Address,
    server::Slot,
};

/// One call, on either side of the wire.
///
/// A client's pipeline and a server's pipeline pass on the same type, by `&mut`: layers change it in place, and a layer
/// that tries again passes the same call down once more. The lifetime is that of what a stub lends, its request; a layer
/// that must own what it passes on asks for it with [`take_owned`](Self::take_owned).
#[derive(Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    /// What is called.
    pub method: Method,
    /// Deadline, lane, baggage, trace, caller.
    pub context: Context,
    /// Headers of the user's.
    pub metadata: Metadata,
    /// The content-subtype of the messages.
    pub codec: Cow<'static, str>,
    /// The request.
    pub body: Body<'a>,
    /// What was asked for besides.
    pub options: Options<'a>,
    /// Values that layers pass on inside the process.
    pub extensions: Extensions,
    pub(crate) slot: Option<Slot>,
    /// In process: where the caller wants its answer.
    pub(crate) place: Option<Place<'a>>,
    /// The deadline at which somebody above drops whatever answers this.
    pub(crate) kept: Option<Deadline>,
    /// In process: ties the request stream to the call.
    pub(crate) tie: Option<Tie>,
}

/// A call that owns all that it carries, as plain tower services take it.
pub type OwnedCall = Call<'static>;

impl<'a> Call<'a> {
    /// A call of a method with a body in a codec.
    pub fn new(method: Method, codec: impl Into<Cow<'static, str>>, body: Body<'a>) -> Self {
        Self {
            method,
            context: Context::new(),
            metadata: Metadata::new(),
            codec: codec.into(),
            body,
            options: Options::default(),
            extensions: Extensions::new(),
            slot: None,
            place: None,
            kept: None,
            tie: None,
        }
    }

    /// Gives the call a deadline that the caller of this keeps: it has not passed, and whatever answers what is returned
    /// will be dropped there. A transport that answers in place needs no timer of its own then.
    pub fn keep_deadline(&mut self, deadline: Deadline) -> KeptCall<'_, 'a> {
        self.context.set_deadline(deadline);
        self.kept = Some(deadline);
        KeptCall(self)
    }

    /// The deadline, unless it is [kept](Self::keep_deadline) above.
    pub(crate) fn own_deadline(&self) -> Option<Deadline> {
        self.context
            .deadline()
            .filter(|own| self.kept.is_none_or(|kept| *own < kept))
    }

    /// Moves everything into a call that owns it. This one is left empty, but for deadline, lane, baggage and trace: whoever
    /// waits for it still knows for how long and what for.
    pub fn take_owned(&mut self) -> OwnedCall {
        let kept = self.context.child();
        Call {
            method: self.method.clone(),
            context: std::mem::replace(&mut self.context, kept),
            metadata: std::mem::take(&mut self.metadata),
            codec: self.codec.clone(),
            body: self.body.take_owned(),
            options: self.options.to_owned(),
            extensions: std::mem::take(&mut self.extensions),
            slot: self.slot,
            // It belongs to the caller's future, which what is owned may outlive.
            place: None,
            // What is owned can go to another task, where nobody drops it in time.
            kept: None,
            tie: self.tie.take(),
        }
    }
}

/// A call whose deadline is kept: see [`Call::keep_deadline`]. Once this is dropped, nobody keeps it any more.
#[derive(Debug)]
#[must_use = "the deadline is kept as long as this lives"]
pub struct KeptCall<'c, 'a>(&'c mut Call<'a>);

impl<'a> Deref for KeptCall<'_, 'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        self.0
    }
}

impl DerefMut for KeptCall<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.0
    }
}

impl Drop for KeptCall<'_, '_> {
    fn drop(&mut self) {
        self.0.kept = None;
    }
}

/// What a caller may ask of a call besides its deadline. Set on a client, on a stub, or on one request.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// The content-subtype, `json` say; `None` is the first that the service lists.
    pub codec: Option<Cow<'static, str>>,
    /// The longest that a call may take; `None` leaves it to the method and the client.
    pub timeout: Option<Duration>,
    /// Whether to wait while no endpoint can be reached, until the deadline. Default: fail at once.
    pub wait_for_ready: Option<bool>,
    /// How requests are compressed, `gzip` say; `None` is the client's default.
    pub compression: Option<Cow<'static, str>>,
}

impl CallOptions {
    /// Nothing asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the codec by its content-subtype.
    pub fn with_codec(mut self, codec: impl Into<Cow<'static, str>>) -> Self {
        self.codec = Some(codec.into());
        self
    }

    /// Sets the longest that a call may take.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Says whether to wait while no endpoint can be reached.
    pub fn with_wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }

    /// Sets how requests are compressed; `identity` is not at all.
    pub fn with_compression(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.compression = Some(name.into());
        self
    }

    /// These options, and those of `others` where these say nothing.
    pub fn or(self, others: &Self) -> Self {
        Self {
            codec: self.codec.or_else(|| others.codec.clone()),
            timeout: self.timeout.or(others.timeout),
            wait_for_ready: self.wait_for_ready.or(others.wait_for_ready),
            compression: self.compression.or_else(|| others.compression.clone()),
        }
    }
}

/// The options of a call: its channel's, lent, until somebody changes them.
#[derive(Debug)]
pub struct Options<'a>(Choice<'a>);

#[derive(Debug)]
enum Choice<'a> {
    Lent(&'a CallOptions),
    Own(Box<CallOptions>),
}

impl<'a> Options<'a> {
    /// Those of somebody who lives longer than the call.
    pub fn lent(options: &'a CallOptions) -> Self {
        Self(Choice::Lent(options))
    }

    /// The same options, owned.
    pub fn to_owned(&self) -> Options<'static> {
        Options(Choice::Own(Box::new(CallOptions::clone(self))))
    }
}

impl Default for Options<'_> {
    fn default() -> Self {
        static NONE: CallOptions = CallOptions {
            codec: None,
            timeout: None,
            wait_for_ready: None,
            compression: None,
        };
        Self(Choice::Lent(&NONE))
    }
}

impl Deref for Options<'_> {
    type Target = CallOptions;

    fn deref(&self) -> &CallOptions {
        match &self.0 {
            Choice::Lent(options) => options,
            Choice::Own(options) => options,
        }
    }
}

impl DerefMut for Options<'_> {
    fn deref_mut(&mut self) -> &mut CallOptions {
        if let Choice::Lent(options) = self.0 {
            self.0 = Choice::Own(Box::new(options.clone()));
        }
        match &mut self.0 {
            Choice::Own(options) => options,
            // Just changed.
            Choice::Lent(_) => unreachable!("lent options were copied"),
        }
    }
}

/// The answer to a call, if it succeeded.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reply {
    /// Headers of the user's, before the body.
    pub metadata: Metadata,
    /// The response.
    pub body: Body<'static>,
    /// Headers of the user's, after the body. Those of a stream are its own.
    pub trailers: Metadata,
    /// Who answered; `None` in process.
    pub peer: Option<Arc<Address>>,
    /// Ends the reading of the body once the call's deadline passes. The layer that keeps the deadline hands its timer
    /// on here, so that a call has one timer from its start to the last message of its body.
    pub expiry: Option<Box<Expiry>>,
    /// Values that layers pass on inside the process.
    pub extensions: Extensions,
    /// In process: the request stream, which may end the call while the reply is read.
    pub(crate) tie: Option<Tie>,
}

impl Reply {
    /// A reply without metadata.
    pub fn new(body: Body<'static>) -> Self {
        Self {
            metadata: Metadata::new(),
            body,
            trailers: Metadata::new(),
            peer: None,
            expiry: None,
            extensions: Extensions::new(),
            tie: None,
        }
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<OwnedCall>();
    is_send::<Reply>();
    // Both are moved from stage to stage.
    assert!(size_of::<OwnedCall>() <= 288);
    assert!(size_of::<Reply>() <= 88);
};

/// Values by type, for layers and handlers of one process. Empty, it owns no memory.
///
/// Calls and replies drop several of them, nearly all empty: behind a box of their own that is a look at a pointer.
#[derive(Clone, Default)]
pub struct Extensions(Option<Box<http::Extensions>>);

impl Extensions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in, and takes out the one of its type that was there.
    pub fn insert<T: Any + Clone + Send + Sync>(&mut self, value: T) -> Option<T> {
        self.0.get_or_insert_default().insert(value)
    }

    /// The value of that type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.as_ref()?.get()
    }

    /// The value of that type, to change.
    pub fn get_mut<T: Any + Send + Sync>(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.get_mut()
    }

    /// Takes the value of that type out.
    pub fn remove<T: Any + Send + Sync>(&mut self) -> Option<T> {
        self.0.as_mut()?.remove()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("len", &self.0.as_ref().map_or(0, |values| values.len()))
            .finish()
    }
}
