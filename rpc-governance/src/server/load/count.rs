//! Calls, counted.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use rpc_core::Code;

/// Calls that began, ended and failed, since ever.
#[derive(Debug, Default)]
pub(super) struct Counts {
    began: AtomicU64,
    ended: AtomicU64,
    failed: AtomicU64,
}

/// What was counted at one instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) failed: u64,
}

impl Counts {
    pub(super) fn begin(&self) {
        // Ordered with the sleep of the sampler, which looks here after it has said that it sleeps.
        self.began.fetch_add(1, SeqCst);
    }

    pub(super) fn end(&self, failed: bool) {
        if failed {
            self.failed.fetch_add(1, Relaxed);
        }
        self.ended.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Counted {
        // The ends first: none of them is without its beginning then.
        let (failed, ended) = (self.failed.load(Relaxed), self.ended.load(Relaxed));
        Counted {
            began: self.began.load(SeqCst).max(ended),
            ended,
            failed,
        }
    }
}

impl Counted {
    /// Calls under way.
    pub(super) fn in_flight(self) -> u64 {
        self.began - self.ended
    }
}

/// Whether a failure speaks against the server, rather than against what was asked of it. Overload does: a server that
/// refuses what it cannot bear must not look as if it were good at answering.
pub(super) fn is_servers_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}
