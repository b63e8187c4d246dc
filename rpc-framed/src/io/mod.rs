//! Bytes in and out of a connection.

mod inbox;
mod methods;
mod outbox;

use std::sync::{Mutex, MutexGuard, TryLockError};

use rpc_core::transport::Io;

pub(crate) use self::{
    inbox::Inbox,
    outbox::{Outbox, Place, Queue, SEPARATE_BYTES, Turn, Writer, check_written},
};

/// The byte stream, unless somebody else is at it.
pub(crate) fn try_use(io: &Mutex<Box<dyn Io>>) -> Option<MutexGuard<'_, Box<dyn Io>>> {
    match io.try_lock() {
        Ok(io) => Some(io),
        Err(TryLockError::Poisoned(io)) => Some(io.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
