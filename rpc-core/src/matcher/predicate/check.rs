//! Whether a predicate is within its limits.

use super::{Predicate, Salt, Test};
use crate::matcher::{MatchError, Scalar};

/// The most entries of a list in a predicate.
const MAX_ENTRIES: usize = 256;
/// The most bytes of one text in a predicate.
const MAX_TEXT_LEN: usize = 1024;

impl Predicate {
    /// Checks that all of its parts are within their limits. Those that come from documents were checked.
    ///
    /// # Errors
    /// If a list has no or more than 256 entries, a text more than 1024 bytes, a number is not finite, or a range is empty.
    pub fn check(&self) -> Result<(), MatchError> {
        let scalar = |field: &str, value: &Scalar| {
            if value.text_len() > MAX_TEXT_LEN {
                return Err(MatchError::new(
                    field,
                    format!("it is longer than {MAX_TEXT_LEN} bytes"),
                ));
            }
            if value.is_sound() {
                Ok(())
            } else {
                Err(MatchError::new(field, "it is not a finite number"))
            }
        };
        match &self.test {
            Test::Equals(value) => scalar("equals", value),
            Test::In(values) => {
                entries("in", values.len())?;
                let mut values = values.iter().enumerate();
                values.try_for_each(|(at, value)| scalar(&format!("in[{at}]"), value))
            }
            Test::Range(min, max) => {
                for (field, end) in [("range.min", min), ("range.max", max)] {
                    if let Some(end) = end {
                        scalar(field, end)?;
                        if end.number().is_none() {
                            return Err(MatchError::new(field, format!("{end} is not a number")));
                        }
                    }
                }
                match (min, max) {
                    (None, None) => Err(MatchError::new("range", "write `min`, `max` or both")),
                    (Some(min), Some(max)) if min.number() > max.number() => Err(MatchError::new(
                        "range",
                        format!("nothing is from {min} to {max}"),
                    )),
                    _ => Ok(()),
                }
            }
            Test::Prefix(prefixes) => {
                entries("prefix", prefixes.len())?;
                match prefixes.iter().position(|prefix| prefix.len() > MAX_TEXT_LEN) {
                    Some(at) => Err(MatchError::new(
                        &format!("prefix[{at}]"),
                        format!("it is longer than {MAX_TEXT_LEN} bytes"),
                    )),
                    None => Ok(()),
                }
            }
            Test::Cidr(networks) => entries("cidr", networks.len()),
            Test::Hash { rests, salt, .. } => entries("hash.in", rests.len()).and_then(|()| salt_len(salt)),
            Test::Percent { salt, .. } => salt_len(salt),
            Test::Regex(_) | Test::Exists(_) => Ok(()),
        }
    }
}

fn entries(field: &str, len: usize) -> Result<(), MatchError> {
    match len {
        0 => Err(MatchError::new(field, "it is empty")),
        1..=MAX_ENTRIES => Ok(()),
        _ => Err(MatchError::new(
            field,
            format!("it has more than {MAX_ENTRIES} entries"),
        )),
    }
}

fn salt_len(salt: &Salt) -> Result<(), MatchError> {
    if salt.text.len() > MAX_TEXT_LEN {
        return Err(MatchError::new(
            "salt",
            format!("it is longer than {MAX_TEXT_LEN} bytes"),
        ));
    }
    Ok(())
}
