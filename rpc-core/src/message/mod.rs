//! Messages: what a call carries, typed at its ends and bytes in between.

mod body;
mod compression;
mod field;
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
    field::{
        FieldAccessor, FieldCheck, FieldPath, FieldValue, InvalidFieldPath, Segment, UnknownField,
        expected_field, serialized_field,
    },
    request::Request,
    response::Response,
    streaming::{Sender, StreamEnd, Streaming},
    typed::Typed,
};
pub(crate) use self::{
    field::{EncodedPath, Text, Types},
    place::Place,
    receive::{take_message, take_stream, take_whole},
    request::RequestParts,
    streaming::{Received, Role},
    tie::Tie,
};
