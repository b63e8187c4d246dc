//! Giving up calls without losing the connection.
//!
//! A server counts streams that were reset before it got round to accepting them, and closes the connection at as few as
//! twenty: that is how it defends itself against floods of resets (CVE-2023-44487). A client that gives up many calls at once
//! looks like one. So only few streams are reset of which it is not known that the server has accepted them; further ones
//! wait, their streams open, until it is.
//!
//! Servers accept streams in the order in which they were opened, so what is known is one number, up to which they are. An
//! answer raises it to its own: under normal traffic that is enough, and nothing ever waits. Where nothing is answered, the
//! acknowledgement of SETTINGS helps. It proves that what was sent before has been *read*; a server may read all there is each
//! time it accepts one, so it raises the number by one only. Once a further one comes a while later, the server has had
//! the time to accept all that it had read by then. A PING would prove the same, but servers count pings, and close the
//! connection for too many.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::super::exchange::Abandoned;

/// How many streams may be reset of which it is not known that the server has accepted them. Servers draw the line at twenty;
/// half of it leaves room for what we do not know of them.
const UNPROVEN: usize = 10;

/// How long a server may need to accept what it has read.
const ACCEPTING: Duration = Duration::from_millis(200);

/// The calls on a connection that were given up.
pub(crate) struct Resets<C = Abandoned> {
    /// The latest stream, by number, that was answered.
    answered: AtomicU32,
    /// How many streams were reset, or are about to be.
    given_up: AtomicU32,
    /// How many of them h2 has yet to write: until then it counts them among those that the peer bounds.
    unwritten: AtomicUsize,
    /// There is something to do.
    pending: AtomicBool,
    inner: Mutex<Inner<C>>,
}

struct Inner<C> {
    /// The latest stream of which it is known that the server has accepted it.
    accepted: u32,
    /// Streams that were reset without that being known.
    unproven: Vec<u32>,
    waiting: BTreeMap<u32, C>,
    /// The latest stream that had been sent when the server was asked last, if that was for what is open now.
    asked: Option<u32>,
    /// The latest stream that had been read by then.
    read: Option<(u32, Instant)>,
    closed: bool,
}

impl<C> Resets<C> {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            accepted: 0,
            unproven: Vec::new(),
            waiting: BTreeMap::new(),
            asked: None,
            read: None,
            closed: false,
        };
        Self {
            answered: AtomicU32::new(0),
            given_up: AtomicU32::new(0),
            unwritten: AtomicUsize::new(0),
            pending: AtomicBool::new(false),
            inner: Mutex::new(inner),
        }
    }

    /// The stream with that number was answered.
    pub(crate) fn answered(&self, number: u32) {
        if self.answered.load(Relaxed) < number {
            self.answered.fetch_max(number, Relaxed);
        }
    }

    /// True if any was.
    pub(crate) fn has_answers(&self) -> bool {
        self.answered.load(Relaxed) > 0
    }

    /// Counts a stream that is reset. Returns how many were so far.
    pub(crate) fn count(&self) -> u32 {
        self.given_up.fetch_add(1, Relaxed).saturating_add(1)
    }

    /// Takes note of a stream that is about to be reset.
    pub(crate) fn note_unwritten(&self) {
        self.unwritten.fetch_add(1, Relaxed);
    }

    /// How many streams h2 has yet to reset.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten.load(Relaxed)
    }

    /// So many of them have been reset.
    pub(crate) fn note_written(&self, count: usize) {
        if count > 0 {
            self.unwritten.fetch_sub(count, Relaxed);
        }
    }

    /// Gives up a call that was not answered: resets its stream by dropping it, now or later. Returns whether the driver has to
    /// be woken.
    pub(crate) fn give_up(&self, number: u32, call: C) -> bool {
        let mut inner = self.lock();
        inner.know(self.answered.load(Relaxed));
        let now = if inner.closed || inner.may_reset(number) {
            self.note_unwritten();
            Some(call)
        } else {
            inner.waiting.insert(number, call);
            None
        };
        let wake = inner.unproven.len() >= UNPROVEN / 2;
        drop(inner);
        // Dropping it resets the stream, for which h2 takes its own lock.
        drop(now);
        if wake {
            self.pending.store(true, Relaxed);
        }
        wake
    }

    /// True if [`drive`](Self::drive) has something to do.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Relaxed)
    }

    /// Resets what may be reset by now. `ask` asks the server for an acknowledgement; it must fail while the last one has not
    /// come. `sent` is the latest stream that has been sent for certain.
    ///
    /// True if something was done that has to be written.
    pub(crate) fn drive(&self, sent: u32, ask: impl FnOnce() -> bool) -> bool {
        if !self.is_pending() {
            return false;
        }
        let mut inner = self.lock();
        inner.know(self.answered.load(Relaxed));
        let asked = inner.has_doubts() && ask();
        if asked {
            inner.acknowledged(sent);
        }
        let mut released = Vec::new();
        while let Some((&number, _)) = inner.waiting.first_key_value() {
            if !inner.may_reset(number) {
                break;
            }
            self.note_unwritten();
            released.extend(inner.waiting.pop_first());
        }
        if !inner.has_doubts() {
            inner.asked = None;
            inner.read = None;
            self.pending.store(false, Relaxed);
        }
        drop(inner);
        asked || !released.is_empty()
    }

    /// The connection is gone: nothing waits any more.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        drop(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<C>> {
        // Nothing that can panic happens while it is held.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Inner<C> {
    /// The server has accepted the streams up to that one.
    fn know(&mut self, accepted: u32) {
        if accepted > self.accepted {
            self.accepted = accepted;
            self.unproven.retain(|number| *number > accepted);
        }
    }

    /// The server has acknowledged the last question, if there was one, and is asked the next.
    fn acknowledged(&mut self, sent: u32) {
        let Some(read) = self.asked.replace(sent) else {
            return;
        };
        let now = Instant::now();
        let mut accepted = read.min(self.accepted.saturating_add(1));
        match self.read {
            Some((_, at)) if now - at < ACCEPTING => {}
            before => {
                accepted = accepted.max(before.map_or(0, |(number, _)| number));
                self.read = Some((read, now));
            }
        }
        self.know(accepted);
    }

    fn has_doubts(&self) -> bool {
        !self.unproven.is_empty() || !self.waiting.is_empty()
    }

    /// True if the stream may be reset; it is taken to be, then.
    fn may_reset(&mut self, number: u32) -> bool {
        if number > self.accepted {
            if self.unproven.len() >= UNPROVEN {
                return false;
            }
            self.unproven.push(number);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// Gives up so many calls.
    fn give_up(resets: &Resets<Rc<()>>, numbers: impl Iterator<Item = u32>) -> Rc<()> {
        let open = Rc::new(());
        for number in numbers {
            resets.give_up(number, Rc::clone(&open));
        }
        open
    }

    /// How many of them wait.
    fn waiting(calls: &Rc<()>) -> usize {
        Rc::strong_count(calls) - 1
    }

    #[test]
    fn a_few_are_reset_at_once_and_the_rest_by_answers() {
        let resets = Resets::new();
        let calls = give_up(&resets, (1..=1000).rev());
        assert_eq!(waiting(&calls), 990);
        assert!(!resets.drive(1000, || false), "nothing is known yet");
        resets.answered(500);
        assert!(resets.drive(1000, || false));
        assert_eq!(
            waiting(&calls),
            490,
            "it proves 500, and those that are unproven are the last"
        );
        resets.answered(1001);
        assert!(resets.drive(1001, || false));
        assert_eq!(waiting(&calls), 0);
        assert!(!resets.drive(1001, || panic!("there is nothing left to prove")));
    }

    #[tokio::test(start_paused = true)]
    async fn without_answers_each_time_round_is_worth_one_until_it_had_time() {
        let resets = Resets::new();
        let calls = give_up(&resets, (1..=100).rev());
        assert!(resets.drive(100, || true), "the question has to be written");
        assert_eq!(waiting(&calls), 90);
        for round in 1..=5 {
            assert!(resets.drive(100 + round, || true));
            assert_eq!(waiting(&calls), 90 - round as usize);
            assert!(!resets.drive(100 + round, || false));
        }
        tokio::time::advance(ACCEPTING).await;
        assert!(resets.drive(200, || true));
        assert_eq!(waiting(&calls), 0);
    }

    #[test]
    fn a_lone_one_asks_nothing() {
        let resets = Resets::new();
        for number in 1..=4 {
            assert!(!resets.give_up(number, ()));
        }
        assert!(!resets.drive(4, || panic!("there is no hurry")));
    }

    #[test]
    fn the_end_of_the_connection_ends_the_wait() {
        let resets = Resets::new();
        let calls = give_up(&resets, 1..=100);
        resets.close();
        assert_eq!(waiting(&calls), 0);
        let late = give_up(&resets, 101..=200);
        assert_eq!(waiting(&late), 0);
    }
}
