//! How much of a direction may still be sent. A CHUNK costs what its frame takes, so that messages of no bytes are bounded
//! as well.
//!
//! # Pieces do not shrink
//! What a peer grants for a piece is what the next one may be of. If any rest of the credit were spent, each message would
//! cut it into more and smaller pieces, and none would ever be put together again. So a piece that is not the last of its
//! message is of a quarter of the first credit at least, unless a frame takes less.
//!
//! That much comes in the end. Who receives keeps back less than half of the first credit for messages that were taken, and
//! grants what it has of one that is not complete as soon as nothing else is there to be taken. So when all was taken, more
//! than half of the first credit can be spent: that is a quarter and the cost of a CHUNK, since no first credit is below 1 KiB.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Poller, Poll, Waker, ready},
};

use rustc_hash::FxHashMap;

use crate::wire::{CallId, HEAD_BYTES};

/// What a CHUNK costs besides the bytes in it.
pub(crate) const CHUNK_COST: u64 = HEAD_BYTES as u64;

/// Which part of the first credit a piece is of at least.
const LEAST_PART: u64 = 4;

/// Less credit than this at once is of use only as what a CHUNK has cost.
const LEAST_CREDIT: u32 = 256;

/// The credit of one direction of one call.
#[derive(Debug)]
pub(crate) struct Credit(Mutex<State>);

#[derive(Debug)]
struct State {
    bytes: u64,
    /// A piece of less is not sent unless it completes its message.
    least: u64,
    /// For how many CHUNKs no CREDIT has come yet.
    chunks: u64,
    over: bool,
    waker: Option<Waker>,
}

impl Credit {
    fn new(bytes: u32) -> Self {
        Self(Mutex::new(State {
            bytes: u64::from(bytes),
            least: u64::from(bytes) / LEAST_PART,
            chunks: 0,
            over: false,
            waker: None,
        }))
    }

    /// The peer takes more; false if that is of no use.
    fn grant(&self, bytes: u32) -> bool {
        let mut state = self.lock();
        let is_of_use = state.chunks > 0 || bytes >= LEAST_CREDIT;
        state.chunks = state.chunks.saturating_sub(1);
        state.bytes = state.bytes.saturating_add(u64::from(bytes));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        is_of_use
    }

    /// The call is over, or its connection is: nothing more is to be sent. Answers for how many CHUNKs no CREDIT has come yet.
    fn end(&self) -> u64 {
        let (waker, chunks) = self.finish();
        if let Some(waker) = waker {
            waker.wake();
        }
        chunks
    }

    /// The same where nobody sends any more of it, so that nobody is woken.
    fn leave(&self) -> u64 {
        self.finish().1
    }

    /// What was kept of it. A waker may do anything when it is dropped, so that is for where nothing is locked.
    fn finish(&self) -> (Option<Waker>, u64) {
        let mut state = self.lock();
        state.over = true;
        (state.waker.take(), std::mem::take(&mut state.chunks))
    }

    /// Takes what a CHUNK costs with some of so many bytes; `None` if nothing more is to be sent.
    pub(crate) fn poll_take(&self, cx: &mut Poller<'_>, wanted: usize) -> Poll<Option<usize>> {
        let mut state = self.lock();
        let least = CHUNK_COST + state.least.min(wanted as u64);
        ready!(Self::poll_state(&mut state, cx, least));
        if state.over {
            return Poll::Ready(None);
        }
        let cost = state.bytes.min(CHUNK_COST + wanted as u64);
        state.bytes -= cost;
        state.chunks += 1;
        Poll::Ready(Some((cost - CHUNK_COST) as usize))
    }

    /// True if nothing more is to be sent.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// Ready once nothing more is to be sent.
    pub(crate) fn poll_over(&self, cx: &mut Poller<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.over {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_state(state: &mut State, cx: &mut Poller<'_>, least: u64) -> Poll<()> {
        if state.over || state.bytes >= least {
            return Poll::Ready(());
        }
        if !state
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            state.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The credits of a connection, of calls that send more than one frame.
#[derive(Debug, Default)]
pub(crate) struct Credits(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    calls: FxHashMap<CallId, Arc<Credit>>,
    /// For how many CHUNKs of calls that are not here any more no CREDIT has come yet. It may cross with their end.
    chunks: u64,
}

impl Credits {
    /// Opens the credit of a call with what the peer takes without being asked.
    pub(crate) fn open(&self, call: CallId, bytes: u32) -> Arc<Credit> {
        let credit = Arc::new(Credit::new(bytes));
        self.lock().calls.insert(call, Arc::clone(&credit));
        credit
    }

    /// The peer takes more; false if that is of no use: nothing is to be sent for the call, nor has so much been sent before.
    pub(crate) fn grant(&self, call: CallId, bytes: u32) -> bool {
        let mut open = self.lock();
        if let Some(credit) = open.calls.get(&call).cloned() {
            drop(open);
            return credit.grant(bytes);
        }
        let is_due = open.chunks > 0;
        open.chunks = open.chunks.saturating_sub(1);
        is_due
    }

    /// Nothing more is to be sent for a call.
    pub(crate) fn end(&self, call: CallId) {
        let credit = self.lock().calls.remove(&call);
        if let Some(credit) = credit {
            let chunks = credit.end();
            self.lock().chunks += chunks;
        }
    }

    /// Who sent with a credit has done so. Another call may have the number by now: its credit stays.
    pub(crate) fn close(&self, call: CallId, credit: &Arc<Credit>) {
        let chunks = credit.leave();
        let mut open = self.lock();
        open.chunks += chunks;
        if open.calls.get(&call).is_some_and(|of| Arc::ptr_eq(of, credit)) {
            open.calls.remove(&call);
        }
    }

    /// Nothing more is to be sent at all.
    pub(crate) fn end_all(&self) {
        let all = std::mem::take(&mut self.lock().calls);
        for credit in all.into_values() {
            credit.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        task::Wake,
    };

    use super::*;

    #[test]
    fn a_credit_for_each_chunk_is_of_use_and_more_are_not() {
        let (credits, call) = (Credits::default(), CallId::default());
        let credit = credits.open(call, 1 << 10);
        let mut cx = Poller::from_waker(Waker::noop());
        for _ in 0..2 {
            assert_eq!(credit.poll_take(&mut cx, 1), Poll::Ready(Some(1)));
        }
        assert!(credits.grant(call, 17) && credits.grant(call, 17));
        assert!(!credits.grant(call, 17));
        assert!(credits.grant(call, LEAST_CREDIT));
        assert_eq!(credit.poll_take(&mut cx, 1), Poll::Ready(Some(1)));
        credits.end(call);
        assert!(credits.grant(call, 17), "it crosses with the end");
        assert!(!credits.grant(call, LEAST_CREDIT));
    }

    #[test]
    fn what_is_closed_late_leaves_the_next_calls_credit_alone() {
        let (credits, call) = (Credits::default(), CallId::default());
        let mut cx = Poller::from_waker(Waker::noop());
        let late = credits.open(call, 1 << 10);
        assert_eq!(late.poll_take(&mut cx, 1), Poll::Ready(Some(1)));
        credits.end(call);
        let live = credits.open(call, 1 << 10);
        assert_eq!(live.poll_take(&mut cx, 1), Poll::Ready(Some(1)));
        credits.close(call, &late);
        assert!(late.is_over() && !live.is_over());
        for _ in 0..2 {
            assert!(credits.grant(call, LEAST_CREDIT), "the live one takes it");
        }
        assert!(!credits.grant(call, 17), "it sent one CHUNK");
        credits.close(call, &live);
        assert!(live.is_over());
        assert!(credits.grant(call, 17), "it crosses with the end of the late one");
        assert!(!credits.grant(call, 17), "it was counted once");
    }

    #[test]
    fn who_sends_no_more_is_not_woken() {
        struct Woken(AtomicBool);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Relaxed);
            }
        }
        let (credits, call) = (Credits::default(), CallId::default());
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Poller::from_waker(&waker);
        let credit = credits.open(call, 1 << 10);
        assert!(credit.poll_over(&mut cx).is_pending());
        credits.close(call, &credit);
        assert!(!woken.0.load(Relaxed));
        let credit = credits.open(call, 1 << 10);
        assert!(credit.poll_over(&mut cx).is_pending());
        credits.end(call);
        assert!(woken.0.load(Relaxed), "somebody else has ended it");
    }

    #[test]
    fn only_what_completes_a_message_is_small() {
        let credit = Credit::new(1 << 10);
        let mut cx = Poller::from_waker(Waker::noop());
        // So much is left that a quarter of it can just not be sent.
        assert_eq!(credit.poll_take(&mut cx, 737), Poll::Ready(Some(737)));
        assert!(credit.poll_take(&mut cx, 10_000).is_pending());
        credit.grant(1);
        assert_eq!(credit.poll_take(&mut cx, 10_000), Poll::Ready(Some(256)));
        credit.grant(17);
        assert_eq!(credit.poll_take(&mut cx, 1), Poll::Ready(Some(1)));
    }
}
