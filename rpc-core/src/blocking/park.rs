//! Waiting on the caller's own thread, and knowing when that must not be.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context as Poller, Poll, Wake, Waker},
    thread::{self, Thread},
};

use tokio::{runtime::Handle, task::coop};

/// True if this thread is polling a task of a tokio runtime right now. Work inside of `spawn_blocking` is not.
///
/// tokio says only whether a runtime is at hand. But while it polls, and only then, it counts what a task may do before it
/// must yield, so a count that runs out tells the two apart; dropping what was taken gives it back. Work that opted out
/// of that count (`tokio::task::unconstrained`) is not recognised, and a blocking call in there blocks.
pub(super) fn is_async() -> bool {
    /// Well above what tokio grants a task.
    const MORE_THAN_GRANTED: usize = 1024;

    if Handle::try_current().is_err() {
        return false;
    }
    let mut poller = Poller::from_waker(Waker::noop());
    // Held while the others are taken: it gives back the count as it was before all of them.
    let Poll::Ready(_first) = coop::poll_proceed(&mut poller) else {
        return true;
    };
    (1..MORE_THAN_GRANTED).any(|_| match coop::poll_proceed(&mut poller) {
        Poll::Ready(taken) => {
            taken.made_progress();
            false
        }
        Poll::Pending => true,
    })
}

/// Polls a future until it is done, and sleeps in between.
pub(super) fn park_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut poller = Poller::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut poller) {
            return output;
        }
        // A wake-up since the poll began is remembered by the thread; one too many costs a poll.
        thread::park();
    }
}
