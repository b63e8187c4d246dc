//! How a call failed.
//!
//! A [`Status`] has three parts. **What it says**: a code, a message, a machine-readable reason with its domain, and
//! details. **What is known of it**, the facts: was the request processed, may it be sent again, was it overload, how
//! long to stay away. **Where it happened**: whose side, which method, both addresses, the error below.
//!
//! Facts belong to one hop. "Not processed" is true of the call that the callee refused, not of the call whose handler
//! got that refusal from further down: what *its* caller asked for was begun. [`Status::leave_hop`] takes them off, and
//! dispatch calls it on what a handler returns, and on what a layer returns of a call that it made, and a stub on what a
//! request stream fails with.
//!
//! An enum of failure kinds was rejected: callers would match on it, and every new kind would be a breaking change.

mod code;
pub mod details;
mod facts;
mod place;
pub mod reason;
mod verdict;

use std::{any::Any, borrow::Cow, error::Error, fmt, sync::Arc};

pub use self::{
    code::Code,
    details::{
        BadRequest, DebugInfo, Detail, DetailType, ErrorInfo, FieldViolation, Help, HelpLink,
        LocalizedMessage, PreconditionFailure, PreconditionViolation, QuotaFailure, QuotaViolation,
        RequestInfo, ResourceInfo, RetryInfo,
    },
    place::{Place, Side},
    verdict::{Classify, Verdict},
};
use crate::{BoxError, Metadata};

/// How a call failed. One pointer wide.
///
/// Ask for facts: the text and the type of the source may change in any release.
///
/// ```
/// use rpc_core::{Code, Status};
///
/// let status = Status::not_found("no such article").with_reason("SKU_UNKNOWN");
/// assert_eq!(status.code(), Code::NotFound);
/// assert_eq!(status.reason(), Some("SKU_UNKNOWN"));
/// assert!(!status.is_retryable());
/// ```
#[derive(Clone)]
#[must_use = "a status that is dropped is a failure nobody sees"]
pub struct Status(Box<Inner>);

const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Status>();
    assert!(size_of::<Status>() == size_of::<usize>());
};

#[derive(Clone)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    info: Option<ErrorInfo>,
    details: Vec<Detail>,
    metadata: Metadata,
    facts: facts::Facts,
    place: Place,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Status {
    /// A failure with a code and a text for people.
    ///
    /// [`Code::Ok`] is not a failure: it becomes [`Code::Unknown`].
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let code = if code == Code::Ok { Code::Unknown } else { code };
        Self(Box::new(Inner {
            code,
            message: message.into(),
            info: None,
            details: Vec::new(),
            metadata: Metadata::new(),
            facts: facts::Facts::default(),
            place: Place::default(),
            source: None,
        }))
    }

    /// How it failed.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The text for people. Do not match on it.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The machine-readable reason, `UPPER_SNAKE_CASE`; unique together with [`domain`](Self::domain).
    pub fn reason(&self) -> Option<&str> {
        self.0.info.as_ref().map(|info| info.reason.as_ref())
    }

    /// Whose vocabulary the reason is of: [`reason::DOMAIN`] for ours, otherwise the service's.
    pub fn domain(&self) -> Option<&str> {
        self.0.info.as_ref().map(|info| info.domain.as_ref())
    }

    /// Reason, domain and their parameters.
    pub fn error_info(&self) -> Option<&ErrorInfo> {
        self.0.info.as_ref()
    }

    /// Metadata that came, or goes, with the failure: its trailers.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The same, to add to.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.0.metadata
    }

    /// Sets the reason, in the domain that the status has already, or in none.
    pub fn with_reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.info_mut().reason = reason.into();
        self
    }

    /// Sets the domain of the reason.
    pub fn with_domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.info_mut().domain = domain.into();
        self
    }

    /// Sets reason, domain and parameters.
    pub fn with_error_info(mut self, info: ErrorInfo) -> Self {
        self.0.info = Some(info);
        self
    }

    /// Adds a parameter of the reason: `("sku", "4711")`.
    pub fn with_parameter(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Self {
        self.info_mut().metadata.push((key.into(), value.into()));
        self
    }

    /// Sets the metadata.
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// Adds the error that caused it. It stays in this process.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// What an error of a tower layer means: the status that it is or that is among its sources, else an UNKNOWN with it
    /// as source.
    pub fn from_error(error: BoxError) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(status) => return *status,
            Err(error) => error,
        };
        let mut sources = std::iter::successors(error.source(), |error| (*error).source());
        match sources.find_map(|error| error.downcast_ref::<Self>()) {
            Some(status) => status.clone(),
            None => Self::unknown(error.to_string()).with_source(error),
        }
    }

    /// What a call ends with whose handler panicked: INTERNAL. The panic's text goes to the log only.
    pub fn from_panic(panic: &(dyn Any + Send)) -> Self {
        Self::panicked("the handler", panic)
    }

    /// What a call ends with where a layer of the server panicked.
    pub fn from_layer_panic(panic: &(dyn Any + Send)) -> Self {
        Self::panicked("a layer of the server", panic)
    }

    /// What a call ends with whose request stream panicked. It is the caller's own, so the text may be read.
    pub fn from_stream_panic(panic: &(dyn Any + Send)) -> Self {
        Self::internal(format!("the request stream panicked: {}", text_of(panic))).at_side(Side::Client)
    }

    fn panicked(what: &'static str, panic: &(dyn Any + Send)) -> Self {
        tracing::error!(panic = text_of(panic), "{what} panicked");
        // The text stays here: it may hold what no caller should read.
        let status = Self::internal(format!("{what} panicked"));
        status
            .with_reason(reason::HANDLER_PANICKED)
            .with_domain(reason::DOMAIN)
    }

    fn info_mut(&mut self) -> &mut ErrorInfo {
        self.0.info.get_or_insert_with(ErrorInfo::default)
    }
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident = $code:ident;)*) => {
        impl Status {
            $($(#[$doc])* pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                Self::new(Code::$code, message)
            })*
        }
    };
}

constructors! {
    /// The caller gave it up.
    cancelled = Cancelled;
    /// Nothing better is known.
    unknown = Unknown;
    /// The request is wrong.
    invalid_argument = InvalidArgument;
    /// The deadline passed.
    deadline_exceeded = DeadlineExceeded;
    /// What was asked for is not there.
    not_found = NotFound;
    /// It is there already.
    already_exists = AlreadyExists;
    /// The caller may not do this.
    permission_denied = PermissionDenied;
    /// A quota, a limit or a size is used up.
    resource_exhausted = ResourceExhausted;
    /// The system is not in the state that this needs.
    failed_precondition = FailedPrecondition;
    /// A conflict broke it off.
    aborted = Aborted;
    /// Beyond the end.
    out_of_range = OutOfRange;
    /// Not offered.
    unimplemented = Unimplemented;
    /// An invariant is broken.
    internal = Internal;
    /// Not reachable, or not serving now.
    unavailable = Unavailable;
    /// Lost for good.
    data_loss = DataLoss;
    /// The caller is not known.
    unauthenticated = Unauthenticated;
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.code)?;
        if let Some(reason) = self.reason().filter(|reason| !reason.is_empty()) {
            write!(f, " ({reason})")?;
        }
        if !self.0.message.is_empty() {
            write!(f, ": {}", self.0.message)?;
        }
        write!(f, "{}", self.0.place)
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status")
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("info", &self.0.info)
            .field("details", &self.0.details.len())
            .field("metadata", &self.0.metadata)
            .field("facts", &self.0.facts)
            .field("place", &self.0.place)
            .field("source", &self.0.source)
            .finish()
    }
}

/// A text of a peer's, as far as an error repeats it: a status must fit into headers, however long the text is.
pub(crate) fn excerpt(text: &str) -> &str {
    &text[..text.floor_char_boundary(256)]
}

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(not a text)")
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
