//! Who is told how a stream ends.

use thin_vec::ThinVec;

use crate::{Metadata, Status};

/// Told once how a stream that is sent ends: what counts streams, or adds to what is sent after the last message.
///
/// A reply with a stream has only begun when a [`Hook`](crate::stage::Hook) sees it. The hook that wants to know its end
/// leaves one of these with [`Outgoing::on_end`](crate::message::Outgoing::on_end).
pub trait StreamEnd: Send {
    /// The stream ended by itself. What is added to the trailers, or to the metadata of the status, is sent.
    ///
    /// It is not called for a stream that is dropped before its end, because the caller went away, say: then this is
    /// dropped with it.
    fn ended(self: Box<Self>, outcome: Result<&mut Metadata, &mut Status>);
}

/// All who want to know of one stream. Mostly nobody: no memory is owned then.
#[derive(Default)]
pub(super) struct Ends(ThinVec<Box<dyn StreamEnd>>);

impl Ends {
    pub(super) fn push(&mut self, end: Box<dyn StreamEnd>) {
        self.0.push(end);
    }

    /// In the order in which they came: the innermost hook first.
    pub(super) fn tell(&mut self, trailers: &mut Metadata, failure: Option<&mut Status>) {
        let ends = std::mem::take(&mut self.0);
        match failure {
            None => ends.into_iter().for_each(|end| end.ended(Ok(trailers))),
            Some(status) => ends.into_iter().for_each(|end| end.ended(Err(status))),
        }
    }
}
