//! What can go wrong in a build script.

use std::{error, fmt, path::Path};

/// A `.proto` file that could not be compiled. Its text names file, line and column.
pub struct Error {
    problem: String,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            source: None,
        }
    }

    pub(crate) fn file(action: &str, path: &Path, source: std::io::Error) -> Self {
        Self {
            problem: format!("cannot {action} `{}`: {source}", path.display()),
            source: Some(source.into()),
        }
    }

    pub(crate) fn with_source(mut self, source: impl error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// The same as `Display`: a build script that returns the error shows its text, not its fields.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
