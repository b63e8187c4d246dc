//! Moving parts onto a stream of h2's.

use std::{
    pin::Pin,
    task::{Context as Poller, Poll, Waker, ready},
};

use h2::{Reason, SendStream};
use rpc_core::Status;

use super::{Frames, Part, Parts, Whole};
use crate::wire::{
    frame::Data,
    status::{Perspective, from_h2, from_reason, reset_reason},
};

/// How much of a stream is handed to h2 without asking for room: it holds that much anyway, and asking takes the
/// connection's lock. What the peer's window does not take yet waits there, and streams are few enough for it.
pub(super) const UNASKED_BYTES: usize = 64 << 10;

/// What one turn may hand to h2 before others get theirs.
const TURN_BYTES: usize = 1 << 20;

/// The most that h2 takes at once: more than a window can ever be is refused.
const MOST_BYTES: usize = i32::MAX as usize;

/// Sends the one message of a direction, and its end, without waiting.
///
/// # Errors
/// If the stream is over already; on a client the other direction has the better story.
pub(crate) fn send_whole(
    stream: &mut SendStream<Data>,
    whole: Whole,
    perspective: Perspective,
) -> Result<(), Status> {
    let Whole { mut data, trailers } = whole;
    while data.len() > MOST_BYTES {
        if let Err(error) = stream.send_data(data.split_to(MOST_BYTES), false) {
            return refused(stream, &error, perspective);
        }
    }
    let sent = match trailers {
        None => stream.send_data(data, true),
        Some(trailers) if data.is_empty() => stream.send_trailers(trailers),
        Some(trailers) => stream
            .send_data(data, false)
            .and_then(|()| stream.send_trailers(trailers)),
    };
    sent.or_else(|error| refused(stream, &error, perspective))
}

/// Sends all parts, as the peer has room for them. Resolves when the end was handed to h2, or with what broke it off.
///
/// The next part is asked for only when h2 has taken the last one, so what is held is bounded by a batch or one message,
/// and by what h2 may buffer for a stream. Dropped before its end, it resets the stream with CANCEL.
///
/// For a client an error is second-hand: if the reply ended with a status, that one counts. The stream is reset when this is
/// dropped.
#[must_use = "nothing is sent unless it is polled"]
pub(crate) struct SendBody<P: Parts = Frames> {
    stream: SendStream<Data>,
    parts: P,
    /// What has not gone to h2 yet, and whether it is the last.
    unsent: Option<(Data, bool)>,
    /// How much may still go without asking.
    unasked: usize,
    perspective: Perspective,
    awaits_part: bool,
    finished: bool,
}

impl<P: Parts> SendBody<P> {
    /// Sends `parts` on a stream whose headers were sent.
    pub(crate) fn new(stream: SendStream<Data>, parts: P, perspective: Perspective) -> Self {
        Self {
            stream,
            parts,
            unsent: None,
            unasked: UNASKED_BYTES,
            perspective,
            awaits_part: false,
            finished: false,
        }
    }

    /// Ends the call for a reason of ours. A server's trailers say it; a client's stream is reset.
    pub(crate) fn fail(&mut self, status: Status) {
        self.unsent = None;
        self.parts.fail(status);
    }

    /// True if it was pending because there is nothing to send, and not because the peer takes no more of it.
    pub(crate) fn awaits_part(&self) -> bool {
        self.awaits_part
    }

    /// True if the peer takes no more than was handed to h2, and maybe not all of that. To be asked before the end is handed over.
    pub(crate) fn is_held_up(&mut self) -> bool {
        self.stream.reserve_capacity(1);
        self.stream.capacity() == 0
    }

    /// After the end was handed over: ready once the peer has reset the stream, or if it is `late`. Then we do, unless all of it
    /// is out.
    pub(crate) fn poll_gone(&mut self, late: bool, cx: &mut Poller<'_>) -> Poll<()> {
        if late {
            self.stream.send_reset(Reason::CANCEL);
            return Poll::Ready(());
        }
        self.stream.poll_reset(cx).map(|_| ())
    }

    /// Drives it on. Not to be polled after it was ready.
    pub(crate) fn poll_send(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), Status>> {
        let sent = ready!(self.poll_parts(cx));
        match &sent {
            // Its drop does: a client is to know why before whoever waits for the answer is told.
            Err(_) if self.perspective == Perspective::Client => {}
            Err(status) => {
                self.finished = true;
                self.stream.send_reset(reset_reason(status));
            }
            Ok(()) => self.finished = true,
        }
        Poll::Ready(sent)
    }

    fn poll_parts(&mut self, cx: &mut Poller<'_>) -> Poll<Result<(), Status>> {
        let mut turn = TURN_BYTES;
        self.awaits_part = false;
        loop {
            if let Some((data, last)) = &self.unsent {
                // An empty part is work too.
                turn = turn.saturating_sub(data.len().max(1));
                if data.is_empty() && !last {
                    // It says nothing, and peers end a connection on which there are many.
                    self.unsent = None;
                } else if ready!(self.poll_unsent(cx))? {
                    return Poll::Ready(Ok(()));
                }
                if turn == 0 {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            match self.parts.poll_part(cx) {
                Poll::Ready(Ok(Part::Data(data))) => self.unsent = Some((data, false)),
                Poll::Ready(Ok(Part::Last(data))) => self.unsent = Some((data, true)),
                Poll::Ready(Ok(Part::Trailers(trailers))) => {
                    let sent = self.stream.send_trailers(trailers);
                    return Poll::Ready(
                        sent.or_else(|error| refused(&mut self.stream, &error, self.perspective)),
                    );
                }
                Poll::Ready(Err(status)) => return Poll::Ready(Err(status)),
                Poll::Pending => {
                    self.awaits_part = true;
                    return poll_reset(&mut self.stream, cx, self.perspective);
                }
            }
        }
    }

    /// Hands `unsent` to h2, in pieces if there is less room than that. `true` if that was all there is to send, be it that
    /// the peer wants no more.
    fn poll_unsent(&mut self, cx: &mut Poller<'_>) -> Poll<Result<bool, Status>> {
        while let Some(len) = self.unsent.as_ref().map(|(data, _)| data.len()) {
            let Some(room) = ready!(self.poll_room(cx, len))? else {
                return Poll::Ready(Ok(true));
            };
            let Some((mut data, last)) = self.unsent.take() else {
                break;
            };
            let piece = data.split_to(room);
            if !data.is_empty() {
                self.unsent = Some((data, last));
            }
            let ends = last && self.unsent.is_none();
            if let Err(error) = self.stream.send_data(piece, ends) {
                return Poll::Ready(refused(&mut self.stream, &error, self.perspective).map(|()| true));
            }
            if ends {
                return Poll::Ready(Ok(true));
            }
        }
        Poll::Ready(Ok(false))
    }

    /// Waits for room for some of so many bytes; `None` if the peer wants no more, and says so in good faith.
    fn poll_room(&mut self, cx: &mut Poller<'_>, wanted: usize) -> Poll<Result<Option<usize>, Status>> {
        if wanted <= self.unasked {
            self.unasked -= wanted;
            return Poll::Ready(Ok(Some(wanted)));
        }
        self.unasked = 0;
        self.stream.reserve_capacity(wanted.min(MOST_BYTES));
        match self.stream.capacity() {
            0 => {}
            room => return Poll::Ready(Ok(Some(room))),
        }
        match ready!(self.stream.poll_capacity(cx)) {
            Some(Ok(room)) => Poll::Ready(Ok(Some(room))),
            Some(Err(error)) => Poll::Ready(Err(from_h2(&error, self.perspective))),
            // The stream takes nothing more: it was reset.
            None => poll_reset(&mut self.stream, cx, self.perspective).map_ok(|()| None),
        }
    }
}

/// Whether the peer has reset the stream. NO_ERROR to a client is a server that has answered and needs no more of the request:
/// that is no failure of the sending.
fn poll_reset(
    stream: &mut SendStream<Data>,
    cx: &mut Poller<'_>,
    perspective: Perspective,
) -> Poll<Result<(), Status>> {
    stream.poll_reset(cx).map(|reset| match reset {
        Ok(Reason::NO_ERROR) if perspective == Perspective::Client => Ok(()),
        Ok(reset) => Err(from_reason(reset, perspective)),
        Err(error) => Err(from_h2(&error, perspective)),
    })
}

/// Why h2 refused to take something: mostly because the peer has reset the stream meanwhile, which its error does not say.
fn refused(stream: &mut SendStream<Data>, error: &h2::Error, perspective: Perspective) -> Result<(), Status> {
    match poll_reset(stream, &mut Poller::from_waker(Waker::noop()), perspective) {
        Poll::Ready(reset) => reset,
        Poll::Pending => Err(from_h2(error, perspective)),
    }
}

impl<P: Parts + Unpin> Future for SendBody<P> {
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Self::Output> {
        self.poll_send(cx)
    }
}

impl<P: Parts> Drop for SendBody<P> {
    fn drop(&mut self) {
        if !self.finished {
            self.stream.send_reset(Reason::CANCEL);
        }
    }
}
