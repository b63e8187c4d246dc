//! A stream that runs in the context of whoever sends it.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    task::{Context as Poller, Poll},
};

use super::Streaming;
use crate::{Context, Metadata, Status, context::enter_shared};

/// Who sends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It is a request stream. In process the handler polls it, but it belongs to the caller.
    Caller,
    /// It is a response stream: the rest of the call. Giving it up gives the call up.
    Handler,
}

pub(super) struct Scoped<T: 'static> {
    /// `None` once it is dropped.
    stream: Option<Streaming<T>>,
    context: Arc<Context>,
    role: Role,
}

impl<T: Send + 'static> Scoped<T> {
    pub(super) fn new(stream: Streaming<T>, context: Context, role: Role) -> Self {
        Self {
            stream: Some(stream),
            context: Arc::new(context),
            role,
        }
    }

    pub(super) fn poll_message(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Result<T, Status>>> {
        let Self {
            stream,
            context,
            role,
        } = self;
        let Some(stream) = stream else {
            return Poll::Ready(None);
        };
        let poll = || enter_shared(context, || stream.poll_message(cx));
        let polled = panic::catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|panic| {
            Poll::Ready(Some(Err(match role {
                Role::Caller => Status::from_stream_panic(&*panic),
                Role::Handler => Status::from_panic(&*panic),
            })))
        });
        // What it got from another call is no fact of this one.
        polled.map_err(Status::leave_hop)
    }

    /// After the end: the trailers that came with it. Those of another call's answer are none of a request.
    pub(super) fn take_trailers(&mut self) -> Metadata {
        if self.role == Role::Caller {
            return Metadata::new();
        }
        self.stream
            .as_mut()
            .map(Streaming::take_trailers)
            .unwrap_or_default()
    }
}

impl<T: 'static> Drop for Scoped<T> {
    fn drop(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        let is_given_up = !stream.ended;
        enter_shared(&self.context, || drop(stream));
        if is_given_up && self.role == Role::Handler {
            self.context.cancellation().cancel();
        }
    }
}
