//! Takes the frames that a client sends, a batch at a time.

use std::{
    sync::PoisonError,
    task::{Context as Poller, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Connection, run::Work};
use crate::wire::{Broken, CallId, Head, flag, kind};

/// For how long a call is run on the spot before what was answered is written.
const BATCH_TIME: Duration = Duration::from_micros(25);

/// How a batch ended.
pub(super) enum Batch {
    /// There may be more.
    More,
    /// There is no more now.
    Drained,
    /// Calls that were given up are yet to be dropped: no more until then.
    Full,
    /// The peer does not read what it was answered: no more until it does.
    Crowded,
    /// The connection is over.
    Closed,
}

impl<F, M> Connection<F, M>
where
    F: Future<Output = ()> + Send + 'static,
    M: Fn(Work) -> F,
{
    /// Takes frames and runs calls.
    pub(super) fn poll_batch(&mut self, cx: &mut Poller<'_>) -> Batch {
        let mut started = None;
        self.pace.begin();
        loop {
            let head = match self.inbox.head() {
                Ok(Some(head)) => head,
                Ok(None) => {
                    let io = self.io.get_mut().unwrap_or_else(PoisonError::into_inner);
                    match self.inbox.poll_fill(io, cx) {
                        Poll::Ready(Ok(true)) => {
                            // What is there now came before now: no deadline is early for it.
                            started = None;
                            self.read_at = None;
                            self.pace.read();
                            continue;
                        }
                        Poll::Ready(Ok(false)) => return Batch::Closed,
                        Poll::Ready(Err(error)) => {
                            tracing::debug!(peer = ?self.conn.caller.peer(), %error, "a connection broke off");
                            return Batch::Closed;
                        }
                        Poll::Pending => {
                            self.pace.rest();
                            return Batch::Drained;
                        }
                    }
                }
                Err(broken) => return self.break_off(cx, broken),
            };
            let now = *started.get_or_insert_with(Instant::now);
            self.read_at.get_or_insert(now);
            if head.kind == kind::REQUEST && !self.is_final && self.is_full() {
                return Batch::Full;
            }
            match self.take(head, now) {
                Ok(took) if took > BATCH_TIME => return Batch::More,
                Ok(_) => {}
                Err(broken) => return self.break_off(cx, broken),
            }
            if self.pace.taken() {
                return Batch::More;
            }
        }
    }

    /// True while twice as many calls as allowed are there, because many were given up and are yet to be dropped.
    fn is_full(&self) -> bool {
        let most = self.settings.max_calls as usize * 2;
        if self.conn.calls() < most {
            return false;
        }
        self.conn.await_fewer_than(most);
        self.conn.calls() >= most
    }

    /// Takes the next frame; answers how long that took, where it was measured.
    fn take(&mut self, head: Head, now: Instant) -> Result<Duration, Broken> {
        match head.kind {
            kind::REQUEST => return self.request(head, now),
            kind::CHUNK => {
                let piece = self.inbox.take(&head, usize::from(head.metadata));
                let Some(arrival) = self.calls.arrival(head.call).cloned() else {
                    self.police.idle(self.accepted)?;
                    return Ok(Duration::ZERO);
                };
                let pushed = arrival.push(piece, &head)?;
                self.conn.hub.pushed(head.call, &arrival, &pushed);
                if head.has(flag::END) {
                    self.calls.close(head.call);
                    self.conn.hub.end(head.call, &arrival, Ok(Bytes::new()));
                }
            }
            kind::END => {
                self.inbox.skip(&head);
                match self.calls.close(head.call) {
                    Some(arrival) => self.conn.hub.end(head.call, &arrival, Ok(Bytes::new())),
                    None => self.police.idle(self.accepted)?,
                }
            }
            kind::CANCEL => {
                self.inbox.skip(&head);
                let was_there = self.calls.cancel(head.call, &self.conn.hub);
                // Afterwards: an answer that begins to stream meanwhile hears of either.
                self.conn.hub.credits.end(head.call);
                if !was_there {
                    self.police.idle(self.accepted)?;
                }
            }
            kind::CREDIT => {
                let bytes = self.inbox.payload(&head).first_chunk::<4>();
                let bytes = bytes.ok_or(Broken("a CREDIT that says not how much"))?;
                let bytes = u32::from_le_bytes(*bytes);
                let is_of_use = self.conn.hub.credits.grant(head.call, bytes);
                self.inbox.skip(&head);
                if !is_of_use {
                    self.police.idle(self.accepted)?;
                }
            }
            kind::PING => {
                self.police.ping(now)?;
                let payload = self.inbox.take(&head, 0);
                let payload = payload.slice(..payload.len().min(8));
                let pong = Head::new(kind::PONG, CallId::default());
                self.conn.hub.outbox.with(|queue| queue.frame(pong, payload));
            }
            kind::DRAIN => {
                self.inbox.skip(&head);
                self.police.idle(self.accepted)?;
                if self.is_draining {
                    self.say_goodbye();
                }
            }
            kind::PONG => {
                self.inbox.skip(&head);
                self.police.pong(self.accepted)?;
            }
            kind::GOAWAY => {
                let payload = self.inbox.take(&head, 0);
                let text = String::from_utf8_lossy(&payload[payload.len().min(10)..payload.len().min(256)])
                    .into_owned();
                tracing::debug!(peer = ?self.conn.caller.peer(), text, "the client closes the connection");
                self.police.idle(self.accepted)?;
            }
            unknown if unknown >= kind::OPTIONAL => {
                self.inbox.skip(&head);
                self.police.idle(self.accepted)?;
            }
            _ => return Err(Broken("a frame of a kind that a client does not send")),
        }
        Ok(Duration::ZERO)
    }
}
