//! Messages: what a call carries, typed at its ends and bytes in between.

mod body;
mod compression;
mod place;
mod receive;
mod request;
mod response;
mod streaming;
mod tie;
mod typed;

pub use self::{
    body::{Body, Encoded, Incoming, Outgoing, Value},
    compression::{ReceivedCompressed, SendCompressed},
    request::Request,
    response::Response,
    streaming::{Sender, Streaming},
    typed::Typed,
};
pub(crate) use self::{
    place::Place,
    receive::{take_message, take_stream, take_whole},
    streaming::{Received, Role},
    tie::Tie,
};
