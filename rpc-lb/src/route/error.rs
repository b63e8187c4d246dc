//! What is wrong with the settings of a router.

use std::{collections::HashSet, error::Error, fmt};

use rpc_core::{
    BuildError,
    matcher::{Condition, MatchError, Matcher, Predicate, Subject},
};

/// A setting that cannot be understood, or makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteError {
    path: String,
    problem: String,
}

impl RouteError {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// Where it stands: `conditions[3].to[0].weight`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong, and what is accepted.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The same error, seen from a document around.
    pub fn within(mut self, outer: &str) -> Self {
        let needs_dot = !self.path.is_empty() && !self.path.starts_with('[') && !outer.is_empty();
        self.path = format!("{outer}{}{}", if needs_dot { "." } else { "" }, self.path);
        self
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.problem)
    }
}

impl Error for RouteError {}

impl From<RouteError> for BuildError {
    fn from(error: RouteError) -> Self {
        Self::new(error.path, error.problem)
    }
}

/// The most bytes of a name or text in a rule.
const MAX_TEXT_LEN: usize = 256;

/// The most rules of one router.
pub(crate) const MAX_RULES: usize = 1000;

/// Checks the length of a text.
pub(crate) fn check_text(path: &str, text: &str) -> Result<(), RouteError> {
    if text.len() > MAX_TEXT_LEN {
        return Err(RouteError::new(
            path,
            format!("is longer than {MAX_TEXT_LEN} bytes"),
        ));
    }
    Ok(())
}

/// Checks a part of all calls.
pub(crate) fn check_percent(path: &str, percent: f64) -> Result<(), RouteError> {
    if (0.0..=100.0).contains(&percent) {
        Ok(())
    } else {
        Err(RouteError::new(path, "write a number from 0 to 100"))
    }
}

/// Checks which calls a rule means.
pub(crate) fn check_when(path: &str, when: &Matcher) -> Result<(), RouteError> {
    when.check_for_client().map_err(|error| matching(error, path))
}

/// Checks what of a call is looked at.
pub(crate) fn check_subject(path: &str, subject: &Subject) -> Result<(), RouteError> {
    subject
        .check_for_client()
        .map_err(|error| matching(error, path))?;
    let condition = Condition::on(subject.clone(), Predicate::exists());
    match Matcher::new([condition]) {
        Ok(_) => Ok(()),
        // The path inside of the matcher is none of the document's.
        Err(error) => Err(RouteError::new(path, error.problem())),
    }
}

/// The error of a matcher, with its place.
pub(crate) fn matching(error: MatchError, outer: &str) -> RouteError {
    let error = error.within(outer);
    RouteError::new(error.path(), error.problem())
}

/// Checks how many rules there are, and that each has a name of its own.
pub(crate) fn check_names<'r>(names: impl ExactSizeIterator<Item = &'r str>) -> Result<(), RouteError> {
    if names.len() > MAX_RULES {
        return Err(RouteError::new(
            "",
            format!("there are more than {MAX_RULES} rules"),
        ));
    }
    let mut known = HashSet::new();
    for (at, name) in names.enumerate() {
        let path = format!("[{at}].name");
        if name.is_empty() {
            return Err(RouteError::new(path, "is empty"));
        }
        check_text(&path, name)?;
        if !known.insert(name) {
            return Err(RouteError::new(path, format!("`{name}` stands there twice")));
        }
    }
    Ok(())
}
