//! Messages: what a call carries, typed at its ends and bytes in between.

mod body;
mod receive;
mod request;
mod response;
mod streaming;
mod typed;

pub(crate) use self::{
    receive::{take_message, take_stream},
    request::RequestParts,
};
pub use self::{
    body::{Body, Encoded, Incoming, Outgoing, Value},
    request::Request,
    response::Response,
    streaming::{Sender, Streaming},
    typed::Typed,
};
