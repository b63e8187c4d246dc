//! The waker of a task that drives a protocol's machine.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context as Poller, Wake, Waker},
};

use rpc_core::transport::connection::Attention;

#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    fn take(&self) -> usize {
        self.0.swap(0, SeqCst)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_task_at_work_is_not_woken_for_what_it_sees() {
    let task = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&task));
    let (attention, cx) = (Attention::new(), Poller::from_waker(&waker));
    attention.begin(&cx);
    attention.waker().wake_by_ref();
    attention.look();
    attention.end(&cx);
    assert_eq!(task.take(), 0);
}

#[test]
fn what_came_after_the_last_look_wakes_it_when_it_rests() {
    let task = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&task));
    let (attention, cx) = (Attention::new(), Poller::from_waker(&waker));
    attention.begin(&cx);
    attention.look();
    attention.waker().wake_by_ref();
    assert_eq!(task.take(), 0);
    attention.end(&cx);
    assert_eq!(task.take(), 1);
}

#[test]
fn a_task_at_rest_is_woken() {
    let task = Arc::<Woken>::default();
    let waker = Waker::from(Arc::clone(&task));
    let (attention, cx) = (Attention::new(), Poller::from_waker(&waker));
    attention.begin(&cx);
    attention.end(&cx);
    let clone = attention.waker().clone();
    clone.wake();
    assert_eq!(task.take(), 1);
}
