//! A request stream that is sent while the answer is received.
//!
//! As long as the call's own future runs, it drives both. Once a streaming answer is handed out, nobody may poll it for long,
//! and a peer that waits for requests before it answers would wait for ever: what is left of the request stream then gets a task of
//! its own. It ends with the answer: dropping that, or reading it to its end, stops the task and resets the stream. Calls
//! that send one message, and those whose requests are through by then, have no task.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context as Poller, Poll, ready},
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
        // It may be polled again after it has failed.
        if let Some(failure) = ready!(self.poll_body(cx)) {
            self.failure = Some(failure);
        }
        self.stop();
        Poll::Ready(())
    }

    /// Ready when it is to be stopped, with what it failed with. Stopping it resets the stream of one that failed, and whoever
    /// waits for the answer then asks for that.
    fn poll_body(&mut self, cx: &mut Poller<'_>) -> Poll<Option<Status>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        panic::catch_unwind(AssertUnwindSafe(|| body.poll_send(cx)))
            .unwrap_or_else(|panic| Poll::Ready(Err(Status::from_stream_panic(&*panic))))
            .map(Result::err)
    }

    /// True while something is left to send.
    pub(crate) fn is_running(&self) -> bool {
        self.body.is_some()
    }

    /// Why the stream was broken off, if it was we who did it.
    pub(crate) fn take_failure(&mut self) -> Option<Status> {
        self.failure.take().map(|status| status.at_side(Side::Client))
    }

    /// Lets a task go on with what is left to send. The task runs in the context of whoever makes the call. `None` if it is all
    /// sent; what failed already has no task, and keeps its failure.
    pub(crate) fn spawn(mut self) -> Option<RunningPump> {
        let is_running = self.is_running();
        let failure = self.failure.take();
        if !is_running && failure.is_none() {
            return None;
        }
        let shared = Arc::new(Shared {
            pump: Mutex::new(self),
            failure: failure.map_or_else(OnceLock::new, OnceLock::from),
        });
        let task = is_running.then(|| {
            let task = StopOnDrop(Arc::clone(&shared));
            let pumping = std::future::poll_fn(move |cx| task.0.poll(cx));
            tokio::spawn(Context::current().scope(pumping)).abort_handle()
        });
        Some(RunningPump { shared, task })
    }

    fn stop(&mut self) {
        self.body = None;
    }
}

/// A request stream that outlives the head of the answer, with a task of its own unless it has failed. Dropped, it is broken off.
pub(crate) struct RunningPump {
    shared: Arc<Shared>,
    task: Option<AbortHandle>,
}

struct Shared {
    pump: Mutex<Pump>,
    /// Beside the lock, which is held while the stream is polled, and reset: who asks may be that very stream, or be woken by
    /// the reset.
    failure: OnceLock<Status>,
}

impl RunningPump {
    /// True while something is left to send.
    pub(crate) fn is_running(&self) -> bool {
        // Locked, it is being sent.
        self.shared.pump.try_lock().map_or(true, |pump| pump.is_running())
    }

    /// Why the stream was broken off, if it was we who did it.
    pub(crate) fn failure(&self) -> Option<Status> {
        let failure = self.shared.failure.get()?;
        Some(failure.clone().at_side(Side::Client))
    }
}

impl Drop for RunningPump {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.shared.stop();
    }
}

impl Shared {
    fn poll(&self, cx: &mut Poller<'_>) -> Poll<()> {
        // Panics of the stream are caught inside.
        let mut pump = self.pump.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = ready!(pump.poll_body(cx)) {
            // It fails once.
            let _ = self.failure.set(failure);
        }
        pump.stop();
        Poll::Ready(())
    }

    /// At once, not when the task gets its turn; unless it is running, and sees then that it was aborted.
    fn stop(&self) {
        if let Ok(mut pump) = self.pump.try_lock() {
            pump.stop();
        }
    }
}

/// The task may be dropped with its runtime, while the answer is still there.
struct StopOnDrop(Arc<Shared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
