//! The memory for messages that are larger than the credit of their call.
//!
//! Such a message is complete only if its sender gets more credit before anybody could take anything of it. The calls of a
//! connection share a bound for that; beyond it they wait in line. The first in line always gets what it needs, else many
//! that are half there would wait for each other: so the bound is exceeded by one message at most.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::wire::CallId;

#[derive(Debug)]
pub(crate) struct Pool {
    limit: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    used: usize,
    first: Option<CallId>,
    waiting: VecDeque<Grant>,
}

/// Credit of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) call: CallId,
    pub(crate) bytes: usize,
}

impl Pool {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            inner: Mutex::default(),
        }
    }

    /// True if the call gets the bytes at once; else it gets them when others are done.
    pub(crate) fn ask(&self, grant: Grant) -> bool {
        let mut inner = self.lock();
        let first = *inner.first.get_or_insert(grant.call) == grant.call;
        let fits = inner.waiting.is_empty() && inner.used + grant.bytes <= self.limit;
        if first || fits {
            inner.used += grant.bytes;
            return true;
        }
        inner.waiting.push_back(grant);
        false
    }

    /// The message of a call is complete, or nobody waits for it any more: the next one in line may be completed.
    pub(crate) fn settle(&self, call: CallId) -> Vec<Grant> {
        let mut inner = self.lock();
        inner.waiting.retain(|grant| grant.call != call);
        if inner.first == Some(call) {
            inner.first = inner.waiting.front().map(|grant| grant.call);
        }
        self.serve(&mut inner)
    }

    /// Bytes were taken by who waited for them.
    pub(crate) fn release(&self, bytes: usize) -> Vec<Grant> {
        let mut inner = self.lock();
        inner.used = inner.used.saturating_sub(bytes);
        self.serve(&mut inner)
    }

    fn serve(&self, inner: &mut Inner) -> Vec<Grant> {
        let mut served = Vec::new();
        while let Some(next) = inner.waiting.front().copied() {
            if inner.first != Some(next.call) && inner.used + next.bytes > self.limit {
                break;
            }
            inner.waiting.pop_front();
            inner.used += next.bytes;
            served.push(next);
        }
        // The first one may stand further back.
        if let Some(first) = inner.first {
            let (mine, others): (VecDeque<_>, _) =
                inner.waiting.drain(..).partition(|grant| grant.call == first);
            inner.waiting = others;
            inner.used += mine.iter().map(|grant| grant.bytes).sum::<usize>();
            served.extend(mine);
        }
        served
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(slot: u32, bytes: usize) -> Grant {
        Grant {
            call: CallId { slot, generation: 0 },
            bytes,
        }
    }

    #[test]
    fn the_first_gets_all_it_needs_and_others_share_the_rest() {
        let pool = Pool::new(100);
        assert!(pool.ask(grant(1, 60)));
        assert!(pool.ask(grant(2, 40)));
        assert!(!pool.ask(grant(2, 40)), "it is full");
        assert!(pool.ask(grant(1, 1000)), "it is the first");
        assert_eq!(pool.settle(grant(1, 0).call), [grant(2, 40)], "now the other is");
        assert!(!pool.ask(grant(3, 1)));
        assert_eq!(pool.release(1060), [grant(3, 1)]);
    }

    #[test]
    fn who_leaves_waits_no_more() {
        let pool = Pool::new(10);
        assert!(pool.ask(grant(1, 10)));
        assert!(!pool.ask(grant(2, 10)));
        assert!(!pool.ask(grant(3, 10)));
        assert!(pool.settle(grant(2, 0).call).is_empty());
        assert_eq!(pool.settle(grant(1, 0).call), [grant(3, 10)]);
    }
}
