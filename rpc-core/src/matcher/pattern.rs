//! Regular expressions.

use regex::{Regex, RegexBuilder};

use super::MatchError;

/// The most bytes of an expression.
const MAX_LEN: usize = 512;
/// The most memory of a compiled one, in bytes.
const MAX_SIZE_BYTES: usize = 256 << 10;
/// How deep groups may nest.
const MAX_NEST: u32 = 32;
/// The longest value that is looked at, in bytes. Time is linear in the value, but times the size of the expression.
const MAX_VALUE_LEN: usize = 8192;

/// An expression that must fit all of a value.
///
/// [`regex`] takes time that is linear in the value, whatever the expression: a rule cannot be made to hang.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    source: Box<str>,
    whole: Regex,
}

impl Pattern {
    pub(super) fn new(source: &str) -> Result<Self, MatchError> {
        if source.len() > MAX_LEN {
            return Err(MatchError::new(
                "regex",
                format!("it is longer than {MAX_LEN} bytes"),
            ));
        }
        // Alone first, so that nothing in it can close the group around it.
        compile(source)?;
        Ok(Self {
            whole: compile(&format!(r"\A(?:{source})\z"))?,
            source: source.into(),
        })
    }

    /// True if all of a text fits. One of more than 8 KiB never does.
    pub(super) fn fits(&self, text: &str) -> bool {
        text.len() <= MAX_VALUE_LEN && self.whole.is_match(text)
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

fn compile(source: &str) -> Result<Regex, MatchError> {
    RegexBuilder::new(source)
        .size_limit(MAX_SIZE_BYTES)
        .nest_limit(MAX_NEST)
        .build()
        .map_err(|error| {
            let problem = match error {
                regex::Error::CompiledTooBig(_) => {
                    format!("it takes more than {} KiB once compiled", MAX_SIZE_BYTES >> 10)
                }
                error => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    format!("not a regular expression: {}", last.trim_start_matches("error: "))
                }
            };
            MatchError::new("regex", problem)
        })
}
