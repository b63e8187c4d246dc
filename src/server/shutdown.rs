//! How a server stops.
//!
//! The order, and why it is this one:
//!
//! 1. Health says `NOT_SERVING`, and the registries' records are marked as draining and taken out, all at once. Clients
//!    begin to go elsewhere.
//! 2. For the **notice** everything is served as before, new connections too: clients need that long to learn of it, and
//!    a call that is refused in the meantime would be a failure nobody needed.
//! 3. **Draining**: the listening sockets are closed, so that new connections are refused; peers are told to go elsewhere,
//!    in two steps, so that no call is lost between; what still comes is refused as not processed. Watches of health end.
//! 4. Running calls go on for the **grace**. Streams get less: after the **stream grace** they are ended, as a stream that
//!    merely waits for something to happen would hold up the stop for nothing. Clients that still take their last answers
//!    are waited for as well.
//! 5. **Cancelling**: what still runs is cancelled, and the connections are closed. Transports get a moment for that; then
//!    they are cut off.
//!
//! It ends as soon as there is nothing left to wait for.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use rpc_core::{
    Deadline,
    transport::{DrainHandle, DrainPhase},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use super::{HealthReporter, ServerHandle, announce::Announced};

/// How long transports may take to cancel and close, once they are told to, before they are cut off.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// How long registries may take to be told, from the beginning of the stop: as long as announcers take at most, which is 3 s for
/// a withdrawal, and 5 s before that for an announcement that is under way. They give up a moment before.
const WITHDRAWALS: Duration = Duration::from_millis(8_100);

/// How long each part of a stop may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) notice: Duration,
    pub(super) grace: Duration,
    pub(super) stream_grace: Duration,
}

/// What a stop acts on.
pub(super) struct Stop<'a> {
    pub(super) times: Times,
    pub(super) handle: &'a ServerHandle,
    pub(super) health: &'a HealthReporter,
    pub(super) drain: &'a DrainHandle,
    pub(super) announced: Option<Announced>,
}

impl Stop<'_> {
    /// Stops. `serving` is what serves the connections: it is driven on, and ends with the last of them.
    pub(super) async fn run(self, mut serving: Pin<&mut impl Future<Output = ()>>) {
        let Self {
            times,
            handle,
            health,
            drain,
            announced,
        } = self;
        let mut hurry = pin!(handle.stop_now_wanted());

        tracing::info!(notice = ?times.notice, "stopping: NOT_SERVING, and out of the registries");
        health.drain();
        let mut withdrawals = announced.map(Announced::withdraw).unwrap_or_default();
        let withdrawn_by = Instant::now() + WITHDRAWALS;

        let mut steps = Steps {
            serving: serving.as_mut(),
            hurry: hurry.as_mut(),
        };
        let in_time = async {
            steps.take(tokio::time::sleep(times.notice)).await?;
            // The notice is for those who learn of it from a registry: it has to have been told.
            steps.take(finish_by(withdrawn_by, &mut withdrawals)).await?;

            tracing::info!(grace = ?times.grace, "draining: peers are told to go elsewhere");
            let (streams_end, end) = (Deadline::after(times.stream_grace), Deadline::after(times.grace));
            drain.advance(DrainPhase::Draining);
            health.end();
            steps.take(sleep_until(streams_end.instant())).await?;

            drain.advance(DrainPhase::EndingStreams);
            steps.take(sleep_until(end.instant())).await
        };
        if let Some(End::AllDone) = in_time.await.err() {
            tracing::info!("stopped: every call was answered");
            return;
        }
        tracing::warn!("the grace is over: what still runs is cancelled, and connections are closed");
        drain.advance(DrainPhase::Cancelling);
        health.end();
        let last = async { tokio::join!(serving, finish(&mut withdrawals)) };
        if tokio::time::timeout(LAST_MOMENT, last).await.is_err() {
            tracing::warn!("stopped: connections were cut off");
        }
    }
}

/// Why no further step is taken.
enum End {
    /// The last connection has ended.
    AllDone,
    /// Somebody is in a hurry.
    Hurry,
}

struct Steps<'a, S, H> {
    serving: Pin<&'a mut S>,
    hurry: Pin<&'a mut H>,
}

impl<S: Future<Output = ()>, H: Future<Output = ()>> Steps<'_, S, H> {
    /// Waits for a step to be over, and serves meanwhile.
    async fn take(&mut self, step: impl Future<Output = ()>) -> Result<(), End> {
        tokio::select! {
            biased;
            () = self.serving.as_mut() => Err(End::AllDone),
            () = self.hurry.as_mut() => Err(End::Hurry),
            () = step => Ok(()),
        }
    }
}

/// Waits for withdrawals, and gives up those that take longer than any does.
async fn finish_by<T: 'static>(limit: Instant, withdrawals: &mut JoinSet<T>) {
    if timeout_at(limit, finish(withdrawals)).await.is_err() {
        tracing::warn!(
            "not withdrawn everywhere in time: a registry may list the server until its lease is over"
        );
        *withdrawals = JoinSet::new();
    }
}

async fn finish<T: 'static>(tasks: &mut JoinSet<T>) {
    while tasks.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests;
