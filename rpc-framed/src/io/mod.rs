//! Bytes in and out of a connection, and what wakes its task.

mod alarm;
mod inbox;
mod methods;
mod outbox;

pub(crate) use self::{
    alarm::Alarm,
    inbox::Inbox,
    outbox::{Outbox, Queue, SEPARATE_BYTES, Writer},
};
