//! A turn at the back of the queue.

use std::task::{Context, Poll};

/// Lets others run before a connection's task looks what there is to write.
///
/// The first of many calls that are started together wakes the task, and a scheduler that favours what was woken last runs
/// it right after that one call: it would write one frame at a time. Going to the back of the queue once lets all of them
/// queue theirs. For a lone call there is nobody to wait for.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    waited: bool,
}

impl Turn {
    /// Pending once, with the task woken already, if there are others; then ready.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, others: bool) -> Poll<()> {
        if self.waited || !others {
            self.waited = false;
            return Poll::Ready(());
        }
        self.go_back(cx);
        Poll::Pending
    }

    /// Goes to the back of the queue; what is next polled is ready. The caller has to return.
    pub(crate) fn go_back(&mut self, cx: &Context<'_>) {
        self.waited = true;
        cx.waker().wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Wake, Waker},
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn waits_once_and_only_for_others() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut turn = Turn::default();
        assert!(turn.poll(&mut cx, false).is_ready());
        assert_eq!(woken.0.load(Ordering::SeqCst), 0);
        for _ in 0..2 {
            assert!(turn.poll(&mut cx, true).is_pending());
            assert!(turn.poll(&mut cx, true).is_ready());
        }
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        turn.go_back(&cx);
        assert_eq!(woken.0.load(Ordering::SeqCst), 3);
        assert!(turn.poll(&mut cx, true).is_ready(), "it has waited");
    }
}
