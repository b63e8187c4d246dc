//! What the task of a connection is made of, whatever protocol it speaks.
//!
//! # One task
//! A server's connection is one task: it reads requests, runs each call once where it was read, and writes what was answered.
//! These are the parts of it that know nothing of bytes:
//!
//! - [`Runner`] runs a call in a place that serves the next one, and gives the place away if the call must wait;
//! - [`Alarm`] notes that something rare has happened, so that a turn of the task does not look at it in vain;
//! - [`Attention`] keeps the task from being woken for what it is about to see anyway;
//! - [`Timer`] rings it when the first of the connection's clocks is due, and [`Stop`] when the server's stop goes on.
//!
//! How long such a connection lives is [`lifetime`](super::lifetime)'s to say. What a client's connection does besides calls is in
//! [`supervise`](super::supervise); it has use for an alarm too.

mod alarm;
mod attention;
mod runner;
mod slot;
mod stop;
mod timer;

/// What is loom's where all interleavings are tried.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU8, Ordering};

    pub(super) use atomic_waker::AtomicWaker;
}

pub use self::{
    alarm::Alarm,
    attention::Attention,
    runner::{First, Runner},
    slot::{Waits, Watch},
    stop::Stop,
    timer::Timer,
};
