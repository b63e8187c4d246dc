//! Messages on the wire: a flag, four bytes of length, the message.
//!
//! Frames have nothing to do with the DATA frames that carry them: one DATA frame may hold many, and one may span many.

mod data;
mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    data::Data,
    decode::Decoder,
    encode::{Encoder, GUESS_BYTES, encode_next, encode_value, frame_encoded},
};

/// A flag and a length.
pub(crate) const PREFIX_BYTES: usize = 5;
