//! What can go wrong between us and a registry.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use rpc_core::BoxError;

/// Why a registry could not do what was asked. Cheap to clone, and one pointer large.
#[derive(Clone)]
#[must_use = "a fault that is dropped is a registry that nobody knows is gone"]
pub struct Fault(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    kind: FaultKind,
    message: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What whoever asked should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The registry does not know the lease, session or instance (any more): announce again.
    Lost,
    /// The registry has the instance, as somebody else announced it since who started later: it is theirs until they take it
    /// out. Do not announce over it.
    Superseded,
    /// The registry cannot go on from where the watch stood: its history is gone. The watch begins anew.
    Behind,
    /// It may work in a moment: a connection broke, a node is being elected, a request timed out.
    Transient,
    /// Not allowed, and asking again soon will not change it.
    Denied,
    /// What was asked for, or what the registry holds, makes no sense.
    Invalid,
}

impl Fault {
    /// A fault of a kind, with a text for people.
    pub fn new(kind: FaultKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Parts {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// It may work in a moment.
    pub fn transient(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FaultKind::Transient, message)
    }

    /// The registry does not know what was announced.
    pub fn lost(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FaultKind::Lost, message)
    }

    /// Somebody else who started later has announced the same id.
    pub fn superseded(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FaultKind::Superseded, message)
    }

    /// A field of a record, a file or an answer that makes no sense.
    pub fn invalid(field: &str, problem: impl fmt::Display) -> Self {
        Self::new(FaultKind::Invalid, format!("`{field}`: {problem}"))
    }

    /// Adds the error that caused it.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::from(source.into()));
        self
    }

    /// What to do next.
    pub fn kind(&self) -> FaultKind {
        self.0.kind
    }

    /// The registry does not keep the instance as it was announced, and will not.
    pub(crate) fn ends_announcement(&self) -> bool {
        matches!(self.0.kind, FaultKind::Lost | FaultKind::Superseded)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
