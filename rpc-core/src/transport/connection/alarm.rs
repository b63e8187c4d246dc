//! What wakes a connection's task besides its socket and its calls: its timer, and whoever has something to tell it.
//!
//! Both are rare, and to look at a timer takes a lock that all connections share. So they are polled with a waker of their
//! own, which notes that it was woken, and looked at again only then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Wake, Waker},
};

use atomic_waker::AtomicWaker;

/// Notes that it rang, and wakes the task.
#[derive(Debug)]
pub struct Alarm {
    bell: Arc<Bell>,
    waker: Waker,
}

#[derive(Debug)]
struct Bell {
    rang: AtomicBool,
    task: AtomicWaker,
}

impl Alarm {
    /// One that has rung, so that what it is for is looked at for the first time.
    pub fn new() -> Self {
        let bell = Arc::new(Bell {
            rang: AtomicBool::new(true),
            task: AtomicWaker::new(),
        });
        Self {
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        }
    }

    /// Sets the task to wake.
    pub fn register(&self, task: &Waker) {
        self.bell.task.register(task);
    }

    /// Whether it rang since the last question.
    pub fn take(&self) -> bool {
        // Most of the time it did not, and a plain load shares the cache line.
        self.bell.rang.load(Ordering::Acquire) && self.bell.rang.swap(false, Ordering::AcqRel)
    }

    /// What rings it.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Rings it.
    pub fn ring(&self) {
        self.waker.wake_by_ref();
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rang.store(true, Ordering::Release);
        self.task.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_the_task_and_is_heard_once() {
        let (alarm, task) = (Alarm::new(), Arc::<Woken>::default());
        assert!(alarm.take() && !alarm.take(), "a new one has rung");
        alarm.register(&Waker::from(Arc::clone(&task)));
        alarm.ring();
        assert_eq!(task.0.load(Ordering::Relaxed), 1);
        assert!(alarm.take() && !alarm.take());
        alarm.register(&Waker::from(Arc::clone(&task)));
        alarm.waker().wake_by_ref();
        assert_eq!(task.0.load(Ordering::Relaxed), 2);
        assert!(alarm.take());
    }
}
