//! A request stream that is sent while the answer is received.
//!
//! As long as the call's own future runs, it drives both. Once a streaming answer is handed out, nobody may poll it for long,
//! and a peer that waits for requests before it answers would wait for ever: what is left of the request stream then gets a task of
//! its own. It ends with the answer: dropping that, or reading it to its end, stops the task and resets the stream. Calls
//! that send one message, and those whose requests are through by then, have no task.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Poller, Poll},
};

use rpc_core::{Context, Status, status::Side};
use tokio::task::AbortHandle;

use crate::body::SendBody;

/// A request stream on its way.
#[derive(Default)]
pub(crate) struct Pump {
    /// Boxed: most calls have none, and all make room for it.
    body: Option<Box<SendBody>>,
    failure: Option<Status>,
}

impl Pump {
    pub(crate) fn new(body: SendBody) -> Self {
        Self {
            body: Some(Box::new(body)),
            failure: None,
        }
    }

    /// Sends what can be sent. A failure is kept: how the call ends is for the answer to say, unless we reset the stream.
    pub(crate) fn poll(&mut self, cx: &mut Poller<'_>) -> Poll<()> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(());
        };
        let sent = panic::catch_unwind(AssertUnwindSafe(|| body.poll_send(cx)))
            .unwrap_or_else(|panic| Poll::Ready(Err(Status::from_panic(&*panic))));
        let Poll::Ready(sent) = sent else {
            return Poll::Pending;
        };
        self.failure = sent.err();
        // After a panic it was not reset yet, and is now.
        self.body = None;
        Poll::Ready(())
    }

    /// True while something is left to send.
    pub(crate) fn is_running(&self) -> bool {
        self.body.is_some()
    }

    /// Why the stream was broken off, if it was we who did it.
    pub(crate) fn take_failure(&mut self) -> Option<Status> {
        self.failure.take().map(|status| status.at_side(Side::Client))
    }

    /// Lets a task go on with it. The task runs in the context of whoever makes the call.
    pub(crate) fn spawn(self) -> RunningPump {
        let shared = Arc::new(Mutex::new(self));
        let task = StopOnDrop(Arc::clone(&shared));
        let pumping = std::future::poll_fn(move |cx| lock(&task.0).poll(cx));
        let task = tokio::spawn(Context::current().scope(pumping)).abort_handle();
        RunningPump { shared, task }
    }

    fn stop(&mut self) {
        self.body = None;
    }
}

/// A request stream with a task of its own. Dropped, it is broken off.
pub(crate) struct RunningPump {
    shared: Arc<Mutex<Pump>>,
    task: AbortHandle,
}

impl RunningPump {
    /// Why the stream was broken off, if it was we who did it.
    pub(crate) fn take_failure(&self) -> Option<Status> {
        // Who asks may be the very stream that is being polled: then it has not failed.
        self.shared.try_lock().ok()?.take_failure()
    }
}

impl Drop for RunningPump {
    fn drop(&mut self) {
        self.task.abort();
        // At once, not when the task gets its turn; unless it is running, and sees then that it was aborted.
        if let Ok(mut pump) = self.shared.try_lock() {
            pump.stop();
        }
    }
}

/// The task may be dropped with its runtime, while the answer is still there.
struct StopOnDrop(Arc<Mutex<Pump>>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        if let Ok(mut pump) = self.0.try_lock() {
            pump.stop();
        }
    }
}

fn lock(pump: &Mutex<Pump>) -> MutexGuard<'_, Pump> {
    // Panics of the stream are caught inside.
    pump.lock().unwrap_or_else(PoisonError::into_inner)
}
