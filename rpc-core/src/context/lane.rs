//! Lanes: the colour of a request and of an instance.

use std::{error::Error, fmt, sync::Arc};

/// The colour of a request. No lane is the base lane.
///
/// At most 64 characters of `[0-9A-Za-z_.-]`, so that it can be a header, a metric label and part of a registry key.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(Arc<str>);

impl Lane {
    /// The most characters that a lane's name may have.
    pub const MAX_LEN: usize = 64;

    /// A lane of that name.
    ///
    /// # Errors
    /// If the name is empty, longer than [`MAX_LEN`](Self::MAX_LEN) or has other characters.
    pub fn new(name: &str) -> Result<Self, InvalidLane> {
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if name.is_empty() || name.len() > Self::MAX_LEN || !name.bytes().all(is_legal) {
            return Err(InvalidLane(()));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no lane's name.
#[derive(Debug, Clone)]
pub struct InvalidLane(());

impl fmt::Display for InvalidLane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not a lane: write 1 to {} characters of letters, digits, `_`, `.` and `-`",
            Lane::MAX_LEN
        )
    }
}

impl Error for InvalidLane {}
