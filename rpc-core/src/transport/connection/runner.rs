//! Running a call: on the spot if it needs not wait, elsewhere if it does.

use std::task::{Context as Poller, Poll, Waker};

use super::{
    Watch,
    slot::{Panicked, Slot, Waits},
};
use crate::future::Placed;

/// Runs the calls of one connection.
///
/// The future of a call is made in a place that the connection keeps. Most calls are done at their first poll, and the place
/// serves the next one; a call that must wait takes its place along. Places are in memory that threads keep, like that of
/// [`CallFuture`](crate::CallFuture)s: in a steady stream of calls none of them costs an allocation here.
#[derive(Debug)]
pub struct Runner<F, W> {
    spare: Option<Placed<Slot<F, W>>>,
}

/// What the first poll of a call came to.
#[derive(Debug)]
#[must_use = "a call that waits has to be polled on"]
pub enum First<F, W> {
    /// The call is done.
    Done,
    /// It panicked, where its handler cannot be blamed for it. Nothing of it is left.
    Panicked,
    /// It waits. It was polled with a waker that wakes nobody: whoever takes it on polls it again at once.
    Waits(Waits<F, W>),
}

impl<F: Future<Output = ()>, W: Watch> Runner<F, W> {
    /// Without a place yet.
    pub fn new() -> Self {
        Self { spare: None }
    }

    /// Makes a call's future, and polls it once.
    #[inline]
    pub fn run(&mut self, make: impl FnOnce() -> F) -> First<F, W> {
        let mut slot = self.fill(make);
        let mut cx = Poller::from_waker(Waker::noop());
        let Poll::Ready(result) = slot.pinned().poll_once(&mut cx) else {
            return First::Waits(Waits(slot));
        };
        self.spare = Some(slot);
        match result {
            Ok(()) => First::Done,
            Err(Panicked) => First::Panicked,
        }
    }

    /// Makes a call's future without polling it.
    #[inline]
    pub fn place(&mut self, make: impl FnOnce() -> F) -> Waits<F, W> {
        Waits(self.fill(make))
    }

    /// Makes the future where it stays: it is large, and each move of it copies all of its room.
    #[inline]
    fn fill(&mut self, make: impl FnOnce() -> F) -> Placed<Slot<F, W>> {
        let mut slot = self.spare.take().unwrap_or_else(|| Placed::new(Slot::empty));
        slot.pinned().fill(make());
        slot
    }

    /// Gives the place back.
    pub fn trim(&mut self) {
        self.spare = None;
    }
}

impl<F: Future<Output = ()>, W: Watch> Default for Runner<F, W> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        future::{pending, poll_fn, ready},
        pin::pin,
        rc::Rc,
    };

    use super::*;

    /// What happened, in order.
    type Log = Rc<RefCell<Vec<&'static str>>>;

    /// Ends its call if it says so.
    struct Noted {
        log: Log,
        ends: bool,
    }

    impl Watch for Noted {
        type End = &'static str;

        fn check(&self, _: &Waker) -> Option<&'static str> {
            self.log.borrow_mut().push("checked");
            self.ends.then_some("ended")
        }

        fn ended(self, end: &'static str) {
            self.log.borrow_mut().push(end);
        }

        fn panicked(self) {
            self.log.borrow_mut().push("panicked");
        }

        fn finished(self) {
            self.log.borrow_mut().push("finished");
        }
    }

    /// Notes when it is dropped; panics after that if it shall.
    struct Held {
        log: Log,
        panics: bool,
    }

    impl Drop for Held {
        fn drop(&mut self) {
            self.log.borrow_mut().push("dropped");
            assert!(!self.panics, "a destructor that panics");
        }
    }

    fn poll<F: Future<Output = ()>>(waits: &mut Waits<F, Noted>) -> Poll<()> {
        pin!(waits).poll(&mut Poller::from_waker(Waker::noop()))
    }

    fn waits<F: Future<Output = ()>>(first: First<F, Noted>) -> Waits<F, Noted> {
        match first {
            First::Waits(waits) => waits,
            First::Done | First::Panicked => panic!("it waits"),
        }
    }

    fn place<F>(runner: &Runner<F, Noted>) -> Option<usize> {
        runner.spare.as_ref().map(Placed::start)
    }

    #[test]
    fn a_call_that_is_done_at_once_leaves_its_place() {
        let mut runner = Runner::<_, Noted>::new();
        assert!(matches!(runner.run(|| ready(())), First::Done));
        let first = place(&runner);
        assert!(matches!(runner.run(|| ready(())), First::Done));
        assert!(first.is_some() && first == place(&runner));
        runner.trim();
        assert_eq!(place(&runner), None);
    }

    #[test]
    fn a_call_that_waits_takes_it_along() {
        let mut runner = Runner::<_, Noted>::new();
        let _waits = waits(runner.run(pending));
        assert_eq!(place(&runner), None);
    }

    #[test]
    fn what_a_call_held_goes_when_it_is_done_and_not_later() {
        let log = Log::default();
        let mut runner = Runner::<_, Noted>::new();
        let held = Held {
            log: Rc::clone(&log),
            panics: false,
        };
        let mut held = Some(held);
        let first = runner.run(|| {
            poll_fn(move |_| {
                assert!(held.is_some());
                let _ = &mut held;
                Poll::Ready(())
            })
        });
        assert!(matches!(first, First::Done));
        assert_eq!(*log.borrow(), ["dropped"]);
    }

    #[test]
    fn who_ends_a_call_hears_of_it_after_it_was_dropped() {
        let log = Log::default();
        let mut runner = Runner::new();
        let held = Held {
            log: Rc::clone(&log),
            panics: false,
        };
        let call = runner.run(|| async move {
            let _held = held;
            pending::<()>().await;
        });
        let watch = |ends| Noted {
            log: Rc::clone(&log),
            ends,
        };
        let mut call = waits(call).watched(watch(false));
        assert!(poll(&mut call).is_pending());
        let mut call = call.watched(watch(true));
        assert!(poll(&mut call).is_ready());
        assert_eq!(*log.borrow(), ["checked", "checked", "dropped", "ended"]);
        assert!(poll(&mut call).is_ready(), "nothing is left of it");
    }

    #[test]
    fn who_watches_a_call_is_told_that_it_is_done_and_not_that_it_was_dropped() {
        let log = Log::default();
        let mut runner = Runner::new();
        for (polls, expected) in [(1, &["checked"][..]), (2, &["checked", "checked", "finished"])] {
            let mut left = 2;
            let first = runner.run(|| {
                poll_fn(move |_| {
                    left -= 1;
                    if left < 0 { Poll::Ready(()) } else { Poll::Pending }
                })
            });
            let mut call = waits(first).watched(Noted {
                log: Rc::clone(&log),
                ends: false,
            });
            for _ in 0..polls {
                let _ = poll(&mut call);
            }
            drop(call);
            assert_eq!(log.take(), expected);
        }
    }

    #[test]
    fn a_panic_ends_one_call_and_no_other() {
        let log = Log::default();
        let mut runner = Runner::new();
        let call = |panics_after: usize, panics: bool| {
            let held = Held {
                log: Rc::clone(&log),
                panics,
            };
            let mut polls = 0;
            poll_fn(move |_| {
                let _ = &held;
                polls += 1;
                assert!(polls <= panics_after, "outside of its handler");
                Poll::Pending
            })
        };
        assert!(matches!(runner.run(|| call(0, false)), First::Panicked));
        let mut waits = waits(runner.run(|| call(1, true)));
        waits = waits.watched(Noted {
            log: Rc::clone(&log),
            ends: false,
        });
        assert!(poll(&mut waits).is_ready());
        assert_eq!(*log.borrow(), ["dropped", "checked", "dropped", "panicked"]);
    }
}
