//! Errors of building something: a client, a server, a method table.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

/// Any error, as tower's layers pass it on.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// A builder was given something that cannot work.
///
/// Names the field, so that the line to mend is found without reading our code.
#[derive(Debug, Clone)]
pub struct BuildError {
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl BuildError {
    /// A mistake in `field`; `problem` says what is wrong and what is accepted instead.
    pub fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
            source: None,
        }
    }

    /// The same mistake, in what `field` was given: where what is wrong does not know which method of a builder took it.
    pub fn with_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = field.into();
        self
    }

    /// Adds the error that caused this one.
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// The builder method or setting that was wrong, as the user writes it: `target`, `max_message_bytes`.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.field, self.problem)
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
