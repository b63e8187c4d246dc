//! What is between h2 and a connection, on either side: when bytes are written, and when it is the connection's turn.
//!
//! h2 flushes after every DATA frame of 256 bytes and more, which would cost a system call each. So it is given a
//! [`Gather`], whose flush does nothing, and the task that drives the connection flushes for real, through the
//! [`Flusher`], once it has let h2 write all that was queued. To let more be queued it goes to the back of the
//! scheduler's queue once before it looks, if more than one call is under way: see [`Turn`].
//!
//! What a turn reads is bounded as well, since h2 would read all that a socket holds before a call is looked at.

mod gather;
mod turn;

pub(crate) use self::{
    gather::{Flusher, Gather, WriteCounter, gather},
    turn::Turn,
};
