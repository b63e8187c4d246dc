//! The memory for messages that are larger than the credit of their call.
//!
//! Such a message is complete only if its sender gets more credit before anybody could take anything of it. The calls of a
//! connection share a bound for that; beyond it they wait in line. The first in line always gets what it needs, else many
//! that are half there would wait for each other: so what arrives exceeds the bound by one message at most.
//!
//! A message that is complete counts until it is taken, and leaves less for others than the first in line. But it never keeps
//! the next one from being the first: who does not take it may be waiting for just that one. So beside what arrives, each call
//! may hold one message that is complete.
//!
//! A message may be complete, or given up, by the time that it is asked for. Whoever sees to that [settles](Pool::settle) it
//! afterwards, so what is asked for later than that is not wanted, and what was asked for before is forgotten then.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::Arrival;
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
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) call: CallId,
    pub(crate) arrival: Weak<Arrival>,
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
    pub(crate) fn ask(&self, call: CallId, arrival: &Arc<Arrival>, bytes: usize) -> bool {
        let mut inner = self.lock();
        // Looked at while others cannot settle it.
        if !arrival.asks() {
            return false;
        }
        let first = *inner.first.get_or_insert(call) == call;
        let fits = inner.waiting.is_empty() && inner.used + bytes <= self.limit;
        if first || fits {
            inner.used += bytes;
            return true;
        }
        inner.waiting.push_back(Grant {
            call,
            arrival: Arc::downgrade(arrival),
            bytes,
        });
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
        let Inner {
            used, first, waiting, ..
        } = inner;
        while let Some(next) =
            waiting.pop_front_if(|next| *first == Some(next.call) || *used + next.bytes <= self.limit)
        {
            *used += next.bytes;
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
    use bytes::Bytes;

    use super::*;
    use crate::wire::{Head, flag, kind};

    fn call(slot: u32) -> CallId {
        CallId { slot, generation: 0 }
    }

    fn chunk(flags: u8) -> Head {
        Head {
            flags,
            ..Head::new(kind::CHUNK, CallId::default())
        }
    }

    /// A message that has begun, and needs more.
    fn begun() -> Arc<Arrival> {
        let arrival = Arc::new(Arrival::new(1 << 10, 1 << 10));
        let piece = Bytes::from_static(b"x");
        let pushed = arrival.push(piece, &chunk(flag::MORE)).expect("it is allowed");
        assert!(pushed.ask > 0);
        arrival
    }

    fn served(grants: &[Grant]) -> Vec<(u32, usize)> {
        grants
            .iter()
            .map(|grant| (grant.call.slot, grant.bytes))
            .collect()
    }

    #[test]
    fn the_first_gets_all_it_needs_and_others_share_the_rest() {
        let (pool, arrival) = (Pool::new(100), begun());
        assert!(pool.ask(call(1), &arrival, 60));
        assert!(pool.ask(call(2), &arrival, 40));
        assert!(!pool.ask(call(2), &arrival, 40), "it is full");
        assert!(pool.ask(call(1), &arrival, 1000), "it is the first");
        assert_eq!(served(&pool.settle(call(1))), [(2, 40)], "now the other is");
        assert!(!pool.ask(call(3), &arrival, 1));
        assert_eq!(served(&pool.release(1060)), [(3, 1)]);
    }

    #[test]
    fn who_leaves_waits_no_more() {
        let (pool, arrival) = (Pool::new(10), begun());
        assert!(pool.ask(call(1), &arrival, 10));
        assert!(!pool.ask(call(2), &arrival, 10));
        assert!(!pool.ask(call(3), &arrival, 10));
        assert!(pool.settle(call(2)).is_empty());
        assert_eq!(served(&pool.settle(call(1))), [(3, 10)]);
    }

    #[test]
    fn what_is_asked_for_too_late_holds_nobody_up() {
        let (pool, left, complete, ended) = (Pool::new(10), begun(), begun(), begun());
        left.leave();
        let pushed = complete.push(Bytes::new(), &chunk(0));
        assert!(pushed.expect("it is allowed").settled);
        assert!(ended.end(Ok(Bytes::new())));
        for late in [&left, &complete, &ended] {
            assert!(pool.settle(call(1)).is_empty());
            assert!(!pool.ask(call(1), late, 5));
        }
        let arrival = begun();
        assert!(pool.ask(call(2), &arrival, 10), "nothing is used");
        assert!(pool.ask(call(2), &arrival, 10), "it is the first");
        assert!(!pool.ask(call(3), &arrival, 10));
        assert_eq!(served(&pool.settle(call(2))), [(3, 10)], "nobody else waits");
    }
}
