//! Why something could not be done: a sentence, and whether a missing tool is the cause.

use std::fmt;

pub(crate) type Result<T = ()> = std::result::Result<T, Error>;

#[derive(Debug)]
pub(crate) enum Error {
    /// It was tried and went wrong.
    Failed(String),
    /// It could not be tried on this machine. Outside CI that skips a part.
    Missing(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) | Self::Missing(why) => f.write_str(why),
        }
    }
}

impl From<String> for Error {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Error {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

/// Says what was attempted when an operation of the system fails: `os error 2` alone helps nobody.
pub(crate) trait Context<T> {
    fn context(self, attempt: impl fmt::Display) -> Result<T>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn context(self, attempt: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Error::Failed(format!("{attempt}: {error}")))
    }
}
