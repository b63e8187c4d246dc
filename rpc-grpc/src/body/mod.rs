//! Bodies of calls: messages that arrive on a stream of HTTP, and messages that leave on one.
//!
//! One state machine serves each direction. What arrives is read by [`RecvMessages`] from a [`ByteSource`]: a stream of
//! h2's, or an `http_body::Body` that passed through layers of the HTTP side. What leaves is made by [`Frames`], pull by
//! pull; [`SendBody`] moves it onto a stream of h2's, and an HTTP layer sees the same thing as an `http_body::Body`.
//!
//! Everything is pulled. Messages are read when somebody asks for the next one, so a slow reader stops its sender, and they
//! are encoded when the stream has room, so a slow peer stops ours. Nothing in here has a task or a queue.

mod frames;
mod layered;
mod recv;
mod send;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    frames::{Ending, Frames, Part, Parts, Whole, whole},
    layered::{HttpParts, HttpSource, RequestBody},
    recv::RecvMessages,
    send::{SendBody, send_whole},
    source::{ByteSource, H2Source, owed_bytes},
};
