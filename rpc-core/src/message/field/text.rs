//! The text of a value, without an allocation.

use std::fmt::{self, Display, Write};

/// The most bytes of a text that is made from a value.
const MAX_LEN: usize = 256;

/// Room for the text of a value: an address, a number, an identifier.
pub(crate) struct Text {
    bytes: [u8; MAX_LEN],
    len: usize,
}

impl Text {
    pub(crate) fn new() -> Self {
        Self {
            bytes: [0; MAX_LEN],
            len: 0,
        }
    }

    /// The text of a value; `None` if it is too long or refuses.
    pub(crate) fn print<T: Display + ?Sized>(&mut self, value: &T) -> Option<&str> {
        self.len = 0;
        write!(self, "{value}").ok()?;
        std::str::from_utf8(&self.bytes[..self.len]).ok()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
