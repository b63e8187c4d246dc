//! What no report can hold.

use std::{borrow::Cow, error::Error, fmt};

/// A load that a report cannot hold: the field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLoad {
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl InvalidLoad {
    pub(super) fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }

    /// The field, as ORCA names it; with the metric's name where it has one: `utilization[gpu]`.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for InvalidLoad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "load report: `{}` {}", self.field.escape_debug(), self.problem)
    }
}

impl Error for InvalidLoad {}
