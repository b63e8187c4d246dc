//! What is wrong with a condition.

use std::{borrow::Cow, error::Error, fmt};

use crate::BuildError;

/// A condition that cannot be understood, or cannot be answered for some method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchError {
    path: String,
    problem: Cow<'static, str>,
}

impl MatchError {
    /// A problem of a field.
    pub fn new(field: &str, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            path: field.to_owned(),
            problem: problem.into(),
        }
    }

    pub(super) fn no_caller() -> Self {
        Self::new(
            "",
            "there is no caller on the client's side: only a server's rules can look at it",
        )
    }

    /// The place inside of the matcher: `[1].regex`, `[0].any[2].on.field`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, and what is accepted.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The same error, seen from a document around: `within("routes[0].when")` makes `routes[0].when[1].regex`.
    pub fn within(mut self, outer: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') || outer.is_empty() {
            ""
        } else {
            "."
        };
        self.path = format!("{outer}{dot}{}", self.path);
        self
    }
}

impl fmt::Display for MatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "`{}`: {}", self.path, self.problem)
        }
    }
}

impl Error for MatchError {}

impl From<MatchError> for BuildError {
    fn from(error: MatchError) -> Self {
        Self::new(error.path, error.problem)
    }
}
