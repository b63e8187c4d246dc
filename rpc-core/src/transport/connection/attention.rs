//! Keeps a task from being woken while it is at work.
//!
//! A task that runs calls and drives the protocol's own machine wakes itself all the time: the machine wakes whoever drives it
//! whenever a call has something to send, and that is done in the next moment anyway. Each such wake costs a turn in which
//! there is nothing to do, and where other workers rest it fetches one of them for it.
//!
//! So the machine is given this waker. While the task is at work it only notes that it was woken.

use std::{
    sync::Arc,
    task::{Context as Poller, Wake, Waker},
};

use super::sync::{
    AtomicU8, AtomicWaker,
    Ordering::{AcqRel, Acquire},
};

/// The task is at work.
const AT_WORK: u8 = 1;

/// It was woken since it last looked.
const WOKEN: u8 = 2;

/// A waker that does not wake its task while that is at work.
///
/// ```
/// use std::task::{Context, Waker};
/// use rpc_core::transport::connection::Attention;
///
/// let attention = Attention::new();
/// # let mut cx = Context::from_waker(Waker::noop());
/// // In `poll`, with the task's own `cx`:
/// attention.begin(&cx);
/// loop {
///     attention.look();
///     // ... poll what may wake the task, with `attention.waker()`, until there is nothing to do.
///     # break;
/// }
/// attention.end(&cx);
/// ```
#[derive(Debug)]
pub struct Attention {
    state: Arc<State>,
    waker: Waker,
}

#[derive(Debug)]
struct State {
    /// Of [`AT_WORK`] and [`WOKEN`]. Both in one, so that either side sees what the other has done before.
    now: AtomicU8,
    task: AtomicWaker,
}

impl Attention {
    /// Of a task that is not at work yet.
    pub fn new() -> Self {
        let state = Arc::new(State {
            now: AtomicU8::new(0),
            task: AtomicWaker::new(),
        });
        Self {
            waker: Waker::from(Arc::clone(&state)),
            state,
        }
    }

    /// What is to be given to whoever may wake the task.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The task begins to work. It has yet to [look](Self::look).
    pub fn begin(&self, cx: &Poller<'_>) {
        self.state.task.register(cx.waker());
        self.state.now.swap(AT_WORK, AcqRel);
    }

    /// The task is about to look at all that it may be woken for: what woke it until now is seen.
    #[inline]
    pub fn look(&self) {
        if self.state.now.load(Acquire) & WOKEN != 0 {
            self.state.now.fetch_and(!WOKEN, AcqRel);
        }
    }

    /// The task rests. It is woken at once if there was something after it [looked](Self::look) for the last time.
    pub fn end(&self, cx: &Poller<'_>) {
        if self.state.now.swap(0, AcqRel) & WOKEN != 0 {
            cx.waker().wake_by_ref();
        }
    }
}

impl Default for Attention {
    fn default() -> Self {
        Self::new()
    }
}

impl Wake for State {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.now.fetch_or(WOKEN, AcqRel) & AT_WORK == 0 {
            self.task.wake();
        }
    }
}
