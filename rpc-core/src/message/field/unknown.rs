//! A path that leads nowhere.

use std::{error::Error, fmt};

use super::{FieldPath, Segment, expected::There};

/// A path at which messages of a type never have anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownField(String);

/// The most names that are listed.
const MAX_NAMES: usize = 32;

impl UnknownField {
    /// From part `at` on; `there` is what the path could go on with.
    pub(super) fn new(path: &FieldPath, at: usize, there: There) -> Self {
        let part = part(path, at);
        Self(match there {
            There::Names(names) => return Self::among(path, at, names.iter().copied()),
            There::Value => format!("{part} leads into a value that has no parts"),
            There::List => format!("{part} leads into a list: write a position, `[0]`, or `[*]`"),
            There::Map => format!("{part} leads into a map: write a key, or `[*]`"),
            There::Tuple(len) => format!("{part} leads into a list of {len}: write a position below that"),
        })
    }

    /// From part `at` on, where there are only these names.
    pub(super) fn among<'n>(path: &FieldPath, at: usize, names: impl Iterator<Item = &'n str>) -> Self {
        let part = part(path, at);
        let mut names = names.map(|name| format!("`{name}`"));
        let mut listed = names.by_ref().take(MAX_NAMES).collect::<Vec<_>>().join(", ");
        if names.next().is_some() {
            listed.push_str(" and more");
        }
        Self(if listed.is_empty() {
            format!("{part} is not there: the message has no fields")
        } else {
            format!("{part} is not there; there are: {listed}")
        })
    }

    pub(super) fn with(problem: String) -> Self {
        Self(problem)
    }
}

/// The path up to its part `at`.
fn part(path: &FieldPath, at: usize) -> String {
    let (mut text, end) = (String::from("`"), path.segments().len().min(at + 1));
    for (index, segment) in path.segments()[..end].iter().enumerate() {
        if index > 0 && matches!(segment, Segment::Name(_)) {
            text.push('.');
        }
        text.push_str(&segment.to_string());
    }
    text.push('`');
    text
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for UnknownField {}
