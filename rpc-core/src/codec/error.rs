//! Errors of codecs.

use std::{error::Error, fmt};

use crate::BoxError;

/// A message that a codec could not write or read.
#[derive(Debug)]
pub struct CodecError(BoxError);

impl CodecError {
    /// Wraps the codec's own error.
    pub fn new(source: impl Into<BoxError>) -> Self {
        Self(source.into())
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for CodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
