//! The calls of a connection that wait, for the two things that a connection has to tell them: that their deadline passed,
//! and that the server stops.
//!
//! A call looks at the clock and at the phase of the stop whenever it is polled. What is kept here is only how to wake it,
//! and when. So one timer per connection serves all deadlines, and neither a call that is done at once nor one that ends
//! in time touches it: an entry is found to be done when the others are looked at, and used again.

use std::{convert::Infallible, sync::Arc, task::Waker, time::Duration};

use atomic_waker::AtomicWaker;
use rpc_core::{Deadline, transport::connection};
use tokio::time::Instant;

/// How long after its deadline a call is looked at once more: whether its peer has taken the end by then.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// Below this many entries nobody looks for those that are done.
const FEW: usize = 32;

/// How to wake one call, for the call itself. It looks at the clock and at the stop on its own.
#[derive(Debug)]
pub(super) struct Watch(Arc<Entry>);

#[derive(Debug)]
struct Entry {
    waker: AtomicWaker,
    deadline: Option<Deadline>,
    is_stream: bool,
}

impl connection::Watch for Watch {
    type End = Infallible;

    fn check(&self, waker: &Waker) -> Option<Infallible> {
        self.0.waker.register(waker);
        None
    }

    fn ended(self, end: Infallible) {
        match end {}
    }

    /// h2 has reset the stream when it was dropped.
    fn panicked(self) {}

    fn finished(self) {}
}

/// The calls that wait. Only the connection's task has it.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// Calls that wait, and others that are done.
    calls: Vec<Arc<Entry>>,
    /// Entries that may be used again.
    free: Vec<Arc<Entry>>,
    /// From how many entries on to look for those that are done.
    sweep_at: usize,
    earliest: Option<Instant>,
}

impl Running {
    /// Adds a call.
    pub(super) fn add(&mut self, deadline: Option<Deadline>, is_stream: bool) -> Watch {
        if self.calls.len() >= self.sweep_at.max(FEW) {
            self.sweep();
            self.sweep_at = self.calls.len() * 2;
        }
        if let Some(deadline) = deadline {
            let at = deadline.instant();
            self.earliest = Some(self.earliest.map_or(at, |earliest| earliest.min(at)));
        }
        let fresh = Entry {
            waker: AtomicWaker::new(),
            deadline,
            is_stream,
        };
        let entry = match self.free.pop() {
            Some(mut used) => {
                match Arc::get_mut(&mut used) {
                    Some(entry) => *entry = fresh,
                    None => used = Arc::new(fresh),
                }
                used
            }
            None => Arc::new(fresh),
        };
        self.calls.push(Arc::clone(&entry));
        Watch(entry)
    }

    /// When to call [`expire`](Self::expire) next.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }

    /// Wakes the calls whose deadline passed, and those that are still there a while later.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        self.sweep();
        self.earliest = None;
        for call in &self.calls {
            let Some(deadline) = call.deadline.map(Deadline::instant) else {
                continue;
            };
            let next = if deadline <= now {
                call.waker.wake();
                deadline + LINGER
            } else {
                deadline
            };
            if next > now {
                self.earliest = Some(self.earliest.map_or(next, |earliest| earliest.min(next)));
            }
        }
    }

    /// Wakes the calls that stream.
    pub(super) fn wake_streams(&self) {
        for call in self.calls.iter().filter(|call| call.is_stream) {
            call.waker.wake();
        }
    }

    fn sweep(&mut self) {
        let mut at = 0;
        while let Some(call) = self.calls.get(at) {
            if Arc::strong_count(call) > 1 {
                at += 1;
                continue;
            }
            let done = self.calls.swap_remove(at);
            if self.free.len() < FEW {
                self.free.push(done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn registered(watch: &Watch) -> Arc<Woken> {
        let woken = Arc::<Woken>::default();
        let end = connection::Watch::check(watch, &Waker::from(Arc::clone(&woken)));
        assert!(end.is_none());
        woken
    }

    #[test]
    fn wakes_what_is_due_and_says_when_the_next_one_is() {
        let (mut running, now) = (Running::default(), Instant::now());
        let at = |ms| now + Duration::from_millis(ms);
        let (soon, late) = (Deadline::at(at(10)), Deadline::at(at(30)));
        let (first, second) = (running.add(Some(soon), false), running.add(Some(late), false));
        let (first, second) = (registered(&first), registered(&second));
        let _kept: Vec<_> = running.calls.clone();
        assert_eq!(running.earliest(), Some(at(10)));
        running.expire(at(9));
        assert_eq!(first.0.load(Ordering::Relaxed), 0);
        running.expire(at(10));
        assert_eq!(
            (first.0.load(Ordering::Relaxed), second.0.load(Ordering::Relaxed)),
            (1, 0)
        );
        assert_eq!(running.earliest(), Some(at(30)));
        running.expire(at(30));
        assert_eq!(running.earliest(), Some(at(10) + LINGER), "they are still there");
        running.expire(at(30) + LINGER);
        assert_eq!(running.earliest(), None);
    }

    #[test]
    fn what_is_done_is_forgotten_and_used_again() {
        let mut running = Running::default();
        for _ in 0..10_000 {
            drop(running.add(None, false));
        }
        assert!(running.calls.len() <= 2 * FEW, "{}", running.calls.len());
        assert!(running.free.len() <= FEW);
    }
}
