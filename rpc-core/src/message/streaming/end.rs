//! What ends a stream besides its source.

use std::task::{Context as Poller, Poll};

use tokio_util::sync::CancellationToken;

use crate::{
    Method, Status,
    context::{Expiry, given_up},
    message::tie::{Tie, Wait, caller_gone},
    status::Side,
};

/// What ends a stream besides its source. Most streams have nothing of it.
#[derive(Default)]
pub(super) struct End(Option<Box<Kind>>);

enum Kind {
    Received(Reading),
    Tied { tie: Tie, wait: Option<Wait> },
}

/// What the caller of a streaming method knows of the call whose responses it reads.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    /// The call's deadline bounds the whole stream.
    pub(crate) expiry: Option<Box<Expiry>>,
    /// Gives the call up, where the caller's context came with it.
    pub(crate) given_up: Option<CancellationToken>,
    /// In process: the request stream, which may end the call.
    pub(crate) tie: Option<Tie>,
}

struct Reading {
    received: Received,
    waits: Option<[Option<Wait>; 2]>,
    /// Messages since the clock was looked at.
    unlooked: u8,
}

/// So many messages that are there already are handed out between two looks at the clock.
const LOOK_EVERY: u8 = 16;

impl End {
    pub(super) fn received(received: Received) -> Self {
        Self(Some(Box::new(Kind::Received(Reading {
            received,
            waits: None,
            unlooked: 0,
        }))))
    }

    pub(super) fn tied(tie: Tie) -> Self {
        Self(Some(Box::new(Kind::Tied { tie, wait: None })))
    }

    /// Why the source must not be asked any more.
    pub(super) fn refused(&self) -> Option<Status> {
        match self.0.as_deref()? {
            Kind::Tied { tie, .. } if tie.is_over() => Some(caller_gone()),
            _ => None,
        }
    }

    /// What comes of what the source said.
    pub(super) fn poll<T>(&mut self, polled: Polled<T>, cx: &mut Poller<'_>) -> Polled<T> {
        match self.0.as_deref_mut() {
            None => polled,
            Some(Kind::Received(reading)) => reading.poll(polled, cx),
            Some(Kind::Tied { tie, wait }) => match polled {
                // On the wire, a request stream that fails is reset. Its status is the caller's.
                Poll::Ready(Some(Err(status))) => {
                    tie.fail(status);
                    Poll::Ready(Some(Err(caller_gone())))
                }
                Poll::Ready(item) => Poll::Ready(item),
                Poll::Pending => wait
                    .get_or_insert_with(|| tie.wait())
                    .poll(cx)
                    .map(|()| Some(Err(caller_gone()))),
            },
        }
    }
}

type Polled<T> = Poll<Option<Result<T, Status>>>;

impl Reading {
    fn poll<T>(&mut self, polled: Polled<T>, cx: &mut Poller<'_>) -> Polled<T> {
        let ended = match self.received.tie.as_ref().and_then(Tie::failure) {
            Some(failure) => Poll::Ready(failure),
            None => match &polled {
                Poll::Ready(Some(Ok(_))) => self.look(),
                Poll::Ready(_) => Poll::Pending,
                Poll::Pending => self.poll_ended(cx),
            },
        };
        let polled = match ended {
            // It is the caller who stops waiting.
            Poll::Ready(status) => Poll::Ready(Some(Err(status.at_side(Side::Client)))),
            Poll::Pending => polled,
        };
        let method = &self.received.method;
        polled.map_err(|status| status.at_method(method).received())
    }

    /// A stream that always has a message never waits, so no timer fires: the clock is looked at now and then.
    fn look(&mut self) -> Poll<Status> {
        self.unlooked += 1;
        if self.unlooked < LOOK_EVERY {
            return Poll::Pending;
        }
        self.unlooked = 0;
        let Received {
            expiry,
            given_up: token,
            ..
        } = &self.received;
        if expiry
            .as_ref()
            .is_some_and(|expiry| expiry.deadline().has_passed())
        {
            return Poll::Ready(Expiry::status());
        }
        if token.as_ref().is_some_and(CancellationToken::is_cancelled) {
            return Poll::Ready(given_up());
        }
        Poll::Pending
    }

    fn poll_ended(&mut self, cx: &mut Poller<'_>) -> Poll<Status> {
        self.unlooked = 0;
        let Received {
            expiry,
            given_up: token,
            tie,
            ..
        } = &mut self.received;
        if let Some(Poll::Ready(status)) = expiry.as_mut().map(|expiry| expiry.poll_expired(cx)) {
            return Poll::Ready(status);
        }
        let start = || [token.as_ref().map(Wait::new), tie.as_ref().map(Tie::wait)];
        let [given, over] = self.waits.get_or_insert_with(start);
        if given.as_mut().is_some_and(|wait| wait.poll(cx).is_ready()) {
            return Poll::Ready(given_up());
        }
        if over.as_mut().is_some_and(|wait| wait.poll(cx).is_ready()) {
            // It is over for no other reason than that it was given up or that the request stream failed.
            return Poll::Ready(tie.as_ref().and_then(Tie::failure).unwrap_or_else(caller_gone));
        }
        Poll::Pending
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // Whoever still reads the request stream reads an error, never a clean end.
        if let Some(tie) = &self.received.tie {
            tie.end();
        }
    }
}
