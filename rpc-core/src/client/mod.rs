//! What the lines of a generated stub call.
//!
//! Each function takes the current context on *before* it returns its future, so a call that is made in a handler and
//! awaited elsewhere still belongs to that handler's call.

mod call;
mod channel;

pub use self::{
    call::{bidi, client_streaming, server_streaming, unary},
    channel::Channel,
};
