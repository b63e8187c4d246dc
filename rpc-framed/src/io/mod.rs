//! Bytes in and out of a connection.

mod inbox;
mod methods;
mod outbox;

pub(crate) use self::{
    inbox::Inbox,
    outbox::{Outbox, Queue, SEPARATE_BYTES, Writer},
};
