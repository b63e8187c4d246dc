//! How much of a direction may still be sent. A CHUNK costs what its frame takes, so that messages of no bytes are bounded
//! as well.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Poller, Poll, Waker, ready},
};

use rustc_hash::FxHashMap;

use crate::wire::{CallId, HEAD_BYTES};

/// What a CHUNK costs besides the bytes in it.
pub(crate) const CHUNK_COST: u64 = HEAD_BYTES as u64;

/// The credit of one direction of one call.
#[derive(Debug)]
pub(crate) struct Credit(Mutex<State>);

#[derive(Debug)]
struct State {
    bytes: u64,
    over: bool,
    waker: Option<Waker>,
}

impl Credit {
    fn new(bytes: u32) -> Self {
        Self(Mutex::new(State {
            bytes: u64::from(bytes),
            over: false,
            waker: None,
        }))
    }

    /// The peer takes more.
    fn grant(&self, bytes: u32) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_add(u64::from(bytes));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The call is over, or its connection is: nothing more is to be sent.
    fn end(&self) {
        let mut state = self.lock();
        state.over = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes what a CHUNK costs with some of so many bytes; `None` if nothing more is to be sent.
    pub(crate) fn poll_take(&self, cx: &mut Poller<'_>, wanted: usize) -> Poll<Option<usize>> {
        let mut state = self.lock();
        let least = CHUNK_COST + u64::from(wanted > 0);
        ready!(Self::poll_state(&mut state, cx, least));
        if state.over {
            return Poll::Ready(None);
        }
        let cost = state.bytes.min(CHUNK_COST + wanted as u64);
        state.bytes -= cost;
        Poll::Ready(Some((cost - CHUNK_COST) as usize))
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
pub(crate) struct Credits(Mutex<FxHashMap<CallId, Arc<Credit>>>);

impl Credits {
    /// Opens the credit of a call with what the peer takes without being asked.
    pub(crate) fn open(&self, call: CallId, bytes: u32) -> Arc<Credit> {
        let credit = Arc::new(Credit::new(bytes));
        self.lock().insert(call, Arc::clone(&credit));
        credit
    }

    /// Forgets a call.
    pub(crate) fn close(&self, call: CallId) {
        self.lock().remove(&call);
    }

    /// The peer takes more; false if there is nothing to send for the call.
    pub(crate) fn grant(&self, call: CallId, bytes: u32) -> bool {
        let credit = self.lock().get(&call).cloned();
        if let Some(credit) = &credit {
            credit.grant(bytes);
        }
        credit.is_some()
    }

    /// Nothing more is to be sent for a call.
    pub(crate) fn end(&self, call: CallId) {
        let credit = self.lock().remove(&call);
        if let Some(credit) = credit {
            credit.end();
        }
    }

    /// Nothing more is to be sent at all.
    pub(crate) fn end_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        for credit in all.into_values() {
            credit.end();
        }
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<CallId, Arc<Credit>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
